-- What holds for the handles of all thin modules alike, said once. A spec
-- tells which module, how its events come about and what its methods take.
local busted = require("busted")
local corolua = require("corolua")
local lab = require("corolua.lab")
local support = require("spec.support")

local assert, describe, it = busted.assert, busted.describe, busted.it

local thin = {}

---@class spec.Thin
---@field name string "corosync.quorum"
---@field initialize string name of the C function that connects
---@field callbacks? string[] names, none where initialize takes no callbacks
---@field open fun(handler: function): any a handle, all events of which go to handler
---@field provoke fun(handle: any) makes three events or more
---@field calls table<string, table> arguments of each method that needs the daemon

-- Every handle has these; all others ask the daemon.
local common = { dispatch = { "all" }, pending = {}, fd_get = {}, finalize = {} }

--- The methods of the handles of a module.
---@param name string "corosync.quorum"
---@return table<string, function>
function thin.methods(name)
  require(name)
  return debug.getregistry()[name].__index
end

local function open(cluster, given, handler)
  return assert(cluster[1]:enter(function()
    return given.open(handler)
  end))
end

local function arguments(given)
  local module = require(given.name)
  if not given.callbacks then return end
  for _, name in ipairs(given.callbacks) do
    it("takes the callback " .. name .. " only as a function", function()
      support.raises("callback '" .. name .. "' must be a function, got number", function()
        module.initialize({ [name] = 1 })
      end)
    end)

    it("names " .. name .. " as the nearest callback", function()
      support.raises("unknown callback '" .. name .. "s', did you mean '" .. name .. "'", function()
        module.initialize({ [name .. "s"] = print })
      end)
    end)
  end
end

local function modes(get, given)
  it("refuses an unknown mode of dispatch", function()
    local handle <close> = open(get(), given, print)
    support.raises("mode must be one of .*, got some", function()
      handle:dispatch("some")
    end)
  end)

  it("says at once that there is nothing to dispatch", function()
    local handle <close> = open(get(), given, print)
    local result, message, code = handle:dispatch("one_nonblocking")
    assert.is_nil(result)
    assert.matches("_dispatch: try again$", message)
    assert.same("ERR_TRY_AGAIN", code)
    assert.same({ true, false }, { handle:dispatch("all") })
  end)
end

local function handlers(get, given)
  it("gives every event to its handler, with the handle in front", function()
    local handle
    local handler, calls = support.counted(function(got)
      assert.is_true(rawequal(handle, got))
    end)
    handle = open(get(), given, handler)
    given.provoke(handle)
    support.dispatch_until(handle, function() return calls() >= 3 end)
    handle:finalize()
  end)

  it("ends dispatch with the error of a handler; what is behind comes next", function()
    local calls = 0
    local handle <close> = open(get(), given, function()
      calls = calls + 1
      if calls == 1 then error({ "raised" }) end
    end)
    given.provoke(handle)
    local ok, raised = pcall(handle.dispatch, handle, "one")
    assert.is_false(ok)
    assert.same({ "raised" }, raised)
    support.dispatch_until(handle, function() return calls >= 3 end)
  end)

  it("lets a handler dispatch again", function()
    local order = {}
    local handle
    handle = open(get(), given, function()
      table.insert(order, #order + 1)
      if #order == 1 then
        assert(handle:dispatch("one"))
        table.insert(order, "first ends")
      end
    end)
    given.provoke(handle)
    support.dispatch_until(handle, function() return #order >= 4 end)
    assert.same({ 1, 2, "first ends", 4 }, { table.unpack(order, 1, 4) })
    handle:finalize()
  end)

  it("lets a handler finalize its own handle", function()
    local calls = 0
    local handle
    handle = open(get(), given, function()
      calls = calls + 1
      handle:finalize()
    end)
    given.provoke(handle)
    assert.is_true(handle:dispatch("blocking"))
    assert.same(1, calls)
    support.raises("the " .. given.name .. " handle is closed", function()
      handle:dispatch("all")
    end)
  end)

  it("lets a handler open and close another handle", function()
    local calls = 0
    local handle <close> = open(get(), given, function()
      open(get(), given, print):finalize()
      calls = calls + 1
    end)
    given.provoke(handle)
    support.dispatch_until(handle, function() return calls >= 3 end)
  end)
end

local function ends(get, given)
  it("is specified with every method", function()
    for name in pairs(thin.methods(given.name)) do
      assert.is_truthy(given.calls[name] or common[name], name)
    end
  end)

  it("refuses every call of a closed handle, but to close it again", function()
    local handle = open(get(), given, print)
    assert.is_true(handle:finalize())
    assert.is_true(handle:finalize())
    assert.matches("^" .. given.name .. " handle %(closed%)", tostring(handle))
    for name in pairs(thin.methods(given.name)) do
      local values = given.calls[name] or common[name]
      if name ~= "finalize" then
        support.raises("the " .. given.name .. " handle is closed", function()
          handle[name](handle, table.unpack(values))
        end)
      end
    end
  end)

  it("is closed by the collector when nobody refers to it", function()
    local before = support.descriptors()
    for _ = 1, 20 do
      given.provoke(open(get(), given, print))
    end
    collectgarbage()
    collectgarbage()
    assert.same(before, support.descriptors())
  end)

  it("gives back all descriptors in 200 cycles", function()
    local before = support.descriptors()
    for _ = 1, 200 do
      open(get(), given, print):finalize()
    end
    assert.same(before, support.descriptors())
  end)
end

local function deaths(given)
  it("says ERR_LIBRARY where no daemon listens", function()
    local handle, message, code = require(given.name).initialize()
    assert.is_nil(handle)
    assert.matches("^" .. given.initialize .. ": .*is it running", message)
    assert.same("ERR_LIBRARY", code)
  end)

  it("answers ERR_LIBRARY at once when its daemon has died", function()
    local cluster <close> = assert(lab.start({ nodes = 1 }))
    local handle = open(cluster, given, print)
    cluster[1].daemon:kill()
    assert(support.readable(assert(handle:fd_get()), 5))
    local started = corolua.now()
    for name, values in pairs(given.calls) do
      local _, message, code = handle[name](handle, table.unpack(values))
      assert.same({ name, "ERR_LIBRARY" }, { name, code }, message)
    end
    for _, mode in ipairs({ "one", "all", "blocking", "one_nonblocking" }) do
      assert.same("ERR_LIBRARY", (select(3, handle:dispatch(mode))))
    end
    assert.is_true(handle:finalize())
    assert.is_true(corolua.now() - started < 1)
  end)
end

--- Defines the specs that all modules share, on the cluster that get returns.
---@param get fun(): corolua.lab.Cluster
---@param given spec.Thin
function thin.behaves(get, given)
  describe("as every handle", function()
    arguments(given)
    modes(get, given)
    handlers(get, given)
    ends(get, given)
    deaths(given)
  end)
end

--- Defines a spec for each bad call: { method, arguments, pattern }.
---@param open_handle fun(): any
---@param cases table[]
function thin.refuses(open_handle, cases)
  for _, case in ipairs(cases) do
    local name, values, pattern = case[1], case[2], case[3]
    it("raises: " .. name .. ": " .. pattern, function()
      local handle <close> = open_handle()
      support.raises(pattern, function()
        handle[name](handle, table.unpack(values, 1, values.n or #values))
      end)
    end)
  end
end

return thin
