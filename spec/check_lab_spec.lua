-- Not sanitized: Lua above groups and traces, whose specs reach the same C.
-- Real runs, judged: nothing is found that corosync has not done.
local check = require("corolua.check")
local corolua = require("corolua")
local lab = require("corolua.lab")
local support = require("spec.support")
local trace_files = require("spec.support.trace_files")

describe("corolua.check of a lab's trace", function()
  local path

  before_each(function() path = trace_files.path() end)

  after_each(function() os.remove(path) end)

  -- Five members of a group, all of which send the same without end.
  local function start_senders(cluster, options)
    local running = true
    for _, node in ipairs(cluster) do
      local room = node:group("senders", options)
      room.on.message = function() end
      assert(room:join())
      corolua.spawn(function()
        while running do
          for _ = 1, 5 do room:try_send("tick") end
          corolua.sleep(0.005)
        end
      end)
    end
    return function() running = false end
  end

  local function judge(act, options, deliveries)
    local cluster <close> = assert(lab.start({ nodes = 5, trace = path }))
    local stop = start_senders(cluster, options)
    act(cluster)
    stop()
    cluster:close()
    local verdict = assert(check.file(path))
    for _, finding in ipairs(verdict.findings) do
      assert.not_equal("violated", finding.class, verdict.sentence)
    end
    assert.equal("kept", verdict.status, verdict.sentence)
    assert.is_true(verdict.counts.deliveries > deliveries, verdict.sentence)
    return verdict
  end

  local function break_and_mend(cluster)
    assert(cluster:partition({ { 1, 2 }, { 3, 4, 5 } }))
    assert(cluster:settle())
    assert(cluster:heal())
    assert(cluster:settle())
    assert(cluster[2]:pause())
    support.comes(function() return #cluster[1]:quorum().nodes == 4 end)
    assert(cluster[2]:resume())
    assert(cluster:settle())
    assert(cluster[4]:kill())
    assert(cluster:settle())
    assert(cluster[4]:start())
    assert(cluster:settle())
  end

  for name, options in pairs({
    ["raw groups"] = {}, ["packed groups"] = { packed = true },
    ["groups that ignore quorum"] = { quorum = "ignore" },
  }) do
    it("finds nothing where " .. name .. " say the same through a partition, a hang and a death",
      function()
        local verdict = judge(break_and_mend, options, 1000)
        assert.is_true(verdict.counts.compared > 10, verdict.sentence)
      end)
  end

  it("finds nothing in a run that ends in full flow", function()
    judge(function(cluster)
      assert(cluster:isolate(1))
      support.comes(function() return #cluster[2]:quorum().nodes == 4 end)
    end, nil, 100)
  end)
end)
