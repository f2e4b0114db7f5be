-- What the specs of corosync.cpg share: handles on the nodes of a lab.
local cpg = require("corosync.cpg")
local lab = require("corolua.lab")
local support = require("spec.support")

local groups = {}

-- Seconds for what takes one, on a machine that has other work.
local BUSY = 30

--- Functions for handles on a lab that `start` makes and `stop` ends.
function groups.new()
  local on = {}

  function on.start()
    on.cluster = assert(lab.start({ nodes = 3 }))
  end

  function on.stop()
    on.cluster:close()
  end

  function on.open(node, callbacks, options)
    return assert(on.cluster[node]:enter(function()
      return cpg.initialize(callbacks, options)
    end))
  end

  -- A handle on a node that has seen its own JOIN; messages go into a list.
  function on.join(node, group, messages)
    local joined = false
    local handle = on.open(node, {
      confchg = function()
        joined = true
      end,
      deliver = messages and function(_, _, payload)
        table.insert(messages, payload)
      end,
    })
    assert(handle:join(group))
    support.dispatch_until(handle, function()
      return joined
    end, BUSY)
    return handle
  end

  function on.leave(handle)
    assert(handle:leave())
    support.dispatch_until(handle, function()
      return handle:state() == "left"
    end, BUSY)
    assert(handle:finalize())
  end

  -- Sends for certain: while a ring changes, as a busy machine's may at any time,
  -- nothing is taken, and a message in fragments ends; then it is to be sent again.
  function on.send(handle, payload)
    support.eventually(function()
      local sent, message, code = handle:mcast_joined(payload)
      assert(sent or code == "ERR_INTERRUPT" or code == "ERR_TRY_AGAIN", message)
      return sent
    end, BUSY)
  end

  -- Returns once all that a handle has sent has reached the clients of its
  -- node: the call behind it empties its requests, and a message of a later
  -- place in the total order comes last.
  function on.barrier(handle)
    local node = assert(handle:local_get())
    local got = {}
    local last = on.join(node, "barrier", got)
    on.send(last, "last")
    support.dispatch_until(last, function()
      return #got == 1
    end, BUSY)
    on.leave(last)
  end

  -- Runs a script on node 1 in a process of its own, which sees the codes of
  -- the stub instead of the library's.
  function on.stubbed(stub, source)
    local result = assert(on.cluster[1]:tool("env", "STUB=" .. stub,
      support.preload_stub(), support.program, "-e",
      "cpg = require('corosync.cpg')\n" .. source))
    assert(result.status == 0, result.output)
    return result.output
  end

  return on
end

return groups
