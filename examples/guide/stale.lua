-- What clients saw of a replica, judged: submitted reads fit, a read of an old copy does not.
local corolua = require("corolua")
local lab = require("corolua.lab")
local linearizable = require("corolua.check.linearizable")
local replica = require("corolua.replica")

local cluster <close> = assert(lab.start({ nodes = 3 }))
local stores, history, model = {}, {}, linearizable.register("none")
local function read(state) return state[1] end
local function apply(state, value) state[1] = value ~= "?" and value or state[1] return state[1] end
for i = 1, 3 do
  stores[i] = assert(replica.open("drinks", { node = cluster[i], apply = apply }))
end
local function call(kind, fn, ...)
  local start = corolua.now()
  local value = assert(fn(...))
  table.insert(history, { kind = kind, value = value, start = start, stop = corolua.now() })
  print(kind, value, (linearizable.check(history, model)))
end
call("write", stores[3].submit, stores[3], "tea")
assert(cluster:isolate(3))
call("write", stores[1].submit, stores[1], "coffee")
call("read", stores[2].submit, stores[2], "?")
call("read", stores[3].read, stores[3], read)
