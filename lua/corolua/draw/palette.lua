--- The colours of pictures. Those of senders are told apart by people who see red
--- and green alike, and stand out from every band; a spec computes both.

local palette = {}

---@class corolua.draw.Theme
---@field senders string[] of ticks; senders beyond them take the same with a notch
---@field calm string[] of rings of all nodes
---@field parts string[] of rings of some nodes
---@field ink string
---@field soft string
---@field paper string
---@field broken string of faults and violations
---@field mended string
---@field known string of corosync's known losses
---@field hatch string
---@field paused string

palette.light = {
  senders = { "#0b5cad", "#b84a00", "#366c5c", "#8f2a86", "#5f430a", "#481f2e", "#040865",
    "#434649" },
  calm = { "#d9e6f5", "#c9dbef" },
  parts = { "#ffdcae", "#c6ead0", "#f7cfe1", "#ded4f7", "#f4e9ae", "#c2e9ee", "#f5cbc0",
    "#dde8b2" },
  ink = "#1d2733", soft = "#56636f", paper = "#fcfdfe", broken = "#b3122b", mended = "#12663d",
  known = "#8a5a00", hatch = "#1d2733", paused = "#b9c0c7",
}

palette.dark = {
  senders = { "#6db3ff", "#ff9a4d", "#3fd6a4", "#ac85b2", "#e5ee25", "#fa466c", "#707ffa",
    "#e7f1f9" },
  calm = { "#1f3147", "#26405e" },
  parts = { "#4a3310", "#143d26", "#47213a", "#352a5c", "#423a10", "#113f45", "#4a2820",
    "#323d14" },
  ink = "#e6edf3", soft = "#9aa7b4", paper = "#11161c", broken = "#ff7b8a", mended = "#5fd08f",
  known = "#f0b94a", hatch = "#e6edf3", paused = "#4a535c",
}

return palette
