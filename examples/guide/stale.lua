-- What clients saw of a replica, judged: submitted reads fit, a read of an old copy does not.
local corolua = require("corolua")
local lab = require("corolua.lab")
local linearizable = require("corolua.check.linearizable")
local replica = require("corolua.replica")

local cluster <close> = assert(lab.start({ nodes = 3 }))
local stores, history = {}, {}
local function apply(state, value)
  if value ~= "?" then state.drink = value end
  return state.drink
end
for i = 1, 3 do
  local room = cluster[i]:group("drinks", { packed = true, fragment = true })
  stores[i] = assert(replica.open(room, { apply = apply }))
end
local function call(kind, fn, ...)
  local start = corolua.now()
  local operation = { kind = kind, start = start, value = assert(fn(...)), stop = corolua.now() }
  table.insert(history, operation)
  print(kind, operation.value, (linearizable.check(history, linearizable.register("none"))))
end
call("write", stores[3].submit, stores[3], "tea")
assert(cluster:isolate(3))
call("write", stores[1].submit, stores[1], "coffee")
call("read", stores[2].submit, stores[2], "?")
call("read", stores[3].read, stores[3], function(state) return state.drink end)
