--- What this machine can and cannot do for a lab, found by trying, and what to
--- do about it: the command `corolua doctor`.

local scheduler = require("corolua.task.scheduler")

---@class corolua.doctor.Finding
---@field name string what was looked at
---@field state "ok"|"slow"|"lack"|"no" `no`: a lab cannot run; `slow`: it runs, but not at its
--- best; `lack`: it runs, and something else does not
---@field value string what was found
---@field advice string? what to do about it

local doctor = {}

-- What the lab is made of, once its library has been seen.
local features, lab, lfs, limits, programs

local CAP_SYS_ADMIN = 21
local NAMESPACES_LEAST = 64
local DESCRIPTORS_LEAST = 512
local MEMORY_LEAST = 256 -- MB: three nodes with members, and some more
local CORES_LEAST = 2
local RMEM_LEAST = 4 * 1024 * 1024
local MEMLOCK_LEAST = 512 * 1024 * 1024

local function finding(name, state, value, advice)
  return { name = name, state = state, value = value, advice = advice }
end

local function read(path)
  local file <close> = io.open(path)
  return file and file:read("a") or ""
end

local function see_lfs()
  local found, library = pcall(require, "lfs")
  if not found then
    return finding("lua-filesystem", "no", "missing",
      "a lab needs it, and so does what else is looked at here: `apt-get install lua-filesystem`")
  end
  lfs, lab, features = library, require("corolua.lab"), require("corolua.lab.features")
  limits, programs = require("corolua.lab.explain"), require("corolua.lab.files")
  return finding("lua-filesystem", "ok", lfs._VERSION:match("%d[%d.]*") or lfs._VERSION)
end

local function see_json()
  local found, json = pcall(require, "corolua.base.json")
  if not found then return finding("JSON", "lack", "missing", json) end
  return finding("JSON", "ok", ("%s %s"):format(json.library, json.version))
end

local function see_corosync()
  local path, why = programs.find("corosync")
  if not path then return finding("corosync", "no", "missing", why) end
  local found = features.of(path)
  return finding("corosync", "ok", ("%s at %s, with %s%s"):format(
    found.version or "of an unknown version", path, found.udpu and "udpu and knet" or "knet",
    found.unencrypted and "" or ", encrypted"))
end

local function see_libknet()
  local path = programs.find("corosync")
  local library = path and features.library(path, "libknet")
  return library and finding("libknet", "ok", library)
end

local function see_libqb() return finding("libqb", "ok", scheduler.versions.libqb) end

local function see_lua() return finding("Lua", "ok", scheduler.versions.lua:match("%d%S*")) end

local function see_cores()
  local list = read("/proc/self/status"):match("Cpus_allowed_list:%s*(%S+)") or "0"
  local count = 0
  for first, last in (list .. ","):gmatch("(%d+)%-?(%d*),") do
    count = count + (tonumber(last) or tonumber(first)) - tonumber(first) + 1
  end
  if count >= CORES_LEAST then return finding("processors", "ok", tostring(count)) end
  return finding("processors", "slow", tostring(count),
    "on one processor nodes lose their token now and then: give labs token = 1000 or more")
end

local function see_memory()
  local free = tonumber(read("/proc/meminfo"):match("MemAvailable:%s*(%d+)") or 0) // 1024
  local value = free .. " MB available"
  if free >= MEMORY_LEAST then return finding("memory", "ok", value) end
  return finding("memory", "slow", value,
    "a node takes about 40 MB, its members' shared memory included: free some, or start fewer")
end

local function limit_of(name)
  local soft = read("/proc/self/limits"):match(name .. "%s+(%S+)")
  return tonumber(soft) or math.huge
end

local function see_descriptors()
  local count = limit_of("Max open files")
  local value = count == math.huge and "unlimited" or ("%d"):format(count)
  if count >= DESCRIPTORS_LEAST then return finding("open files", "ok", value) end
  return finding("open files", "slow", value,
    "a large lab runs out of descriptors: `ulimit -n 1024` in the shell before it")
end

local function see_memlock()
  local bytes = limit_of("Max locked memory")
  if bytes >= MEMLOCK_LEAST then return finding("locked memory", "ok", "enough") end
  return finding("locked memory", "ok", ("%d kB: corosync says so in its log and goes on")
    :format(bytes // 1024))
end

local function see_rmem()
  local bytes = tonumber(limits.sysctl("net.core.rmem_max"))
  if not bytes then return finding("net.core.rmem_max", "ok", "not shown here") end
  local value = ("%d kB"):format(bytes // 1024)
  if bytes >= RMEM_LEAST then return finding("net.core.rmem_max", "ok", value) end
  return finding("net.core.rmem_max", "slow", value, ("transport knet drops frames under load and "
    .. "is several times slower; root can `sysctl -w net.core.rmem_max=%d`"):format(2 * RMEM_LEAST))
end

local function has_right()
  local set = tonumber(read("/proc/self/status"):match("CapEff:%s*(%x+)") or "0", 16)
  return set >> CAP_SYS_ADMIN & 1 == 1
end

local function see_rights()
  if has_right() then
    return finding("rights", "ok", "CAP_SYS_ADMIN: labs need no user namespace")
  end
  return finding("rights", "ok", "an ordinary user's: labs are in a user namespace")
end

-- A limit of its own in each user namespace; what counts here is this one's.
local function see_limit(kind, what)
  return function()
    local key = ("user.max_%s_namespaces"):format(kind)
    local value = tonumber(limits.sysctl(key))
    if not value then return finding(key, "ok", "not in this kernel") end
    local needed = kind ~= "user" or not has_right()
    if value >= NAMESPACES_LEAST or not needed then return finding(key, "ok", tostring(value)) end
    local _, advice = limits.explain(what, "", "ENOSPC")
    return finding(key, value == 0 and "no" or "slow", tostring(value), advice)
  end
end

-- The distribution's own switches, where it has them.
local function see_switch(key, forbids)
  return function()
    local value = limits.sysctl(key)
    if not value then return nil end
    if value ~= forbids or has_right() then return finding(key, "ok", value) end
    local _, advice = limits.explain("a user namespace", "", "EPERM")
    return finding(key, "no", value, advice)
  end
end

local function has_netem()
  local release = read("/proc/sys/kernel/osrelease"):match("%S+") or ""
  local folder = ("/lib/modules/%s/kernel/net/sched/sch_netem.ko"):format(release)
  for _, suffix in ipairs({ "", ".xz", ".zst", ".gz" }) do
    if lfs.attributes(folder .. suffix, "mode") then return true end
  end
  return lfs.attributes("/sys/module/sch_netem", "mode") ~= nil
end

local function see_netem()
  return finding("kernel netem", "ok", (has_netem() and "there" or "missing")
    .. "; the lab's own switch makes the faults without it")
end

local TOUCHLESS = {
  see_json, see_corosync, see_libqb, see_libknet, see_lua,
  see_cores, see_memory, see_descriptors, see_memlock, see_rmem, see_rights,
  see_limit("user", "a user namespace"), see_limit("net", "a network namespace"),
  see_switch("kernel.unprivileged_userns_clone", "0"),
  see_switch("kernel.apparmor_restrict_unprivileged_userns", "1"),
  see_netem,
}

-- The proof: a lab of one node, with its namespaces, its own /dev/shm, its
-- cable and its corosync.
local function try_lab(name, network)
  local begin = scheduler.now()
  local cluster <close>, why = lab.start({ nodes = 1, network = network })
  if not cluster then return finding(name, "no", "does not start", why) end
  return finding(name, "ok", ("a node was quorate after %.2f s"):format(scheduler.now() - begin))
end

--- Looks at the machine, and tries a lab. As with `lab.start`, an ordinary user's
--- program stays in its user namespace afterwards.
---@return corolua.doctor.Finding[] findings, boolean can whether a lab runs as it is by default
function doctor.examine()
  local findings = { see_lfs() }
  if not lfs then return findings, false end
  for _, see in ipairs(TOUCHLESS) do findings[#findings + 1] = see() end
  local switch = try_lab("a lab on the switch", "switch")
  findings[#findings + 1] = switch
  if switch.state == "no" then return findings, false end
  findings[#findings + 1] = try_lab("a lab on a bridge", "bridge")
  return findings, true
end

local function width_of(findings)
  local width = 0
  for _, found in ipairs(findings) do width = math.max(width, #found.name) end
  return width
end

--- The findings as a table in text.
---@param findings corolua.doctor.Finding[]
---@return string
function doctor.table(findings)
  local width, lines = width_of(findings), {}
  local format, indent = "%-4s  %-" .. width .. "s  %s", (" "):rep(width + 8)
  for _, found in ipairs(findings) do
    lines[#lines + 1] = format:format(found.state, found.name, found.value)
    if found.advice then lines[#lines + 1] = indent .. found.advice:gsub("\n", "\n" .. indent) end
  end
  return table.concat(lines, "\n")
end

local HELP = [[
usage: corolua doctor
Says what this machine can and cannot do for private clusters, and what to do
about it. The exit status is 0 when a lab can run, and 1 when it cannot.
]]

--- The command.
---@param word string?
---@return integer status
function doctor.main(word)
  if word == "--help" or word == "-h" then
    io.stdout:write(HELP)
    return 0
  end
  if word then
    io.stderr:write("corolua doctor: it takes no arguments, got '", word, "'\n")
    return 2
  end
  local findings, can = doctor.examine()
  print(doctor.table(findings))
  print(can and "\nA lab can run here." or "\nA lab cannot run here yet.")
  return can and 0 or 1
end

return doctor
