--- corolua: tasks, and what scripts use every day.

local scheduler = require("corolua.scheduler")

local corolua = {
  spawn = scheduler.spawn,
  sleep = scheduler.sleep,
  after = scheduler.after,
  every = scheduler.every,
  now = scheduler.now,
  wait = scheduler.wait,
  stop = scheduler.stop,
  run = scheduler.run,
}

return corolua
