local lfs = require("lfs")
local support = require("spec.support")

-- What a command line prints, errors included, and its exit status.
local function run(line)
  local pipe = assert(io.popen("timeout -k 5 60 " .. line .. " 2>&1"))
  local output = pipe:read("a")
  local _, _, status = pipe:close()
  return output, status
end

-- In namespaces of its own, so that nothing outside is touched; root in there
-- may change their limits.
local function run_where(preparation, wrapper)
  return run(("unshare -Urm sh -c '%s && exec %s \"%s\" doctor'")
    :format(preparation, wrapper or "", support.program))
end

-- Where libraries of others are in that folder alone.
local function run_in(folder, words)
  return run(("env 'LUA_PATH=%s/?.lua' 'LUA_CPATH=%s/?.so' '%s' %s")
    :format(folder, folder, support.program, words))
end

local PLAIN_USER = "setpriv --inh-caps=-all --bounding-set=-all"

describe("corolua doctor", function()
  it("tells what is there, tries a lab, and ends with status 0 where one runs", function()
    local output, status = run(support.program .. " doctor")
    assert.is_truthy(output:find("ok    corosync %s+%d+%.%d+%.[%w.-]+ at /%S+, with "), output)
    assert.is_truthy(output:find("ok    libqb %s+%d+%.%d+%.%S+\n"), output)
    assert.is_truthy(output:find("ok    libknet %s+/%S+/libknet%.so%.%S+\n"), output)
    assert.is_truthy(output:find("ok    Lua %s+5%.%d+%.%d+\n"), output)
    assert.is_truthy(output:find("ok    a lab on the switch %s+a node was quorate after"), output)
    assert.is_truthy(output:find("\nA lab can run here.\n$"), output)
    assert.same(0, status)
  end)

  it("names the library of JSON", function()
    local output = run(support.program .. " doctor")
    assert.is_truthy(output:find("ok    JSON %s+%l*json [%d%.]+"), output)
  end)

  it("says what to install where libraries are missing, and runs without JSON", function()
    local output, status = run_in("/nowhere", "doctor")
    assert.is_truthy(output:find("no    lua%-filesystem %s+missing\n"), output)
    assert.is_truthy(output:find("`apt-get install lua-filesystem`", 1, true), output)
    assert.is_truthy(output:find("\nA lab cannot run here yet.\n$"), output)
    assert.same(1, status)

    local folder = os.tmpname()
    os.remove(folder)
    assert(lfs.mkdir(folder))
    finally(function() os.execute("rm -r '" .. folder .. "'") end)
    assert(lfs.link(package.searchpath("lfs", package.cpath), folder .. "/lfs.so", true))
    output, status = run_in(folder, "doctor")
    assert.is_truthy(output:find("lack  JSON %s+missing\n"), output)
    assert.is_truthy(output:find('codec "json" needs lua-cjson or lua-dkjson: '
      .. "apt-get install lua-cjson", 1, true), output)
    assert.is_truthy(output:find("\nA lab can run here.\n$"), output)
    assert.same(0, status)
  end)

  it("is not alone in saying what a lab needs", function()
    for _, words in ipairs({ "lab x.lua", "-l corolua.lab -e ''" }) do
      local output, status = run_in("/nowhere", words)
      assert.is_truthy(output:find("^corolua: the lab needs lua%-filesystem: "
        .. "apt%-get install lua%-filesystem\n"), output)
      assert.same(1, status)
    end
  end)

  support.describe_user("in namespaces of its own", function()
    it("works without any right, in a user namespace", function()
      local output, status = run("unshare -U --map-user=1000 --map-group=1000 "
        .. support.program .. " doctor")
      assert.is_truthy(output:find("an ordinary user's: labs are in a user namespace"), output)
      assert.same(0, status, output)
    end)

    it("names the limit on network namespaces, and the way out", function()
      local output, status = run_where("echo 0 >/proc/sys/user/max_net_namespaces")
      assert.is_truthy(output:find("no    user.max_net_namespaces %s+0\n"), output)
      assert.is_truthy(output:find("limit user.max_net_namespaces is 0). Ask root for "
        .. "`sysctl -w user.max_net_namespaces=15000`", 1, true), output)
      assert.is_truthy(output:find("\nA lab cannot run here yet.\n$"), output)
      assert.same(1, status)
    end)

    it("names the limit on user namespaces to who needs one", function()
      local output, status = run_where("echo 0 >/proc/sys/user/max_user_namespaces", PLAIN_USER)
      assert.is_truthy(output:find("cannot make a user namespace (limit "
        .. "user.max_user_namespaces is 0). Ask root for", 1, true), output)
      assert.same(1, status)
    end)

    it("says that corosync is missing", function()
      local output, status = run_where("mount --bind /dev/null /usr/sbin/corosync",
        "env PATH=/usr/bin")
      assert.is_truthy(output:find("no    corosync %s+missing\n"), output)
      assert.is_truthy(output:find("`apt-get install corosync`", 1, true), output)
      assert.same(1, status)
    end)
  end)

  it("says what makes a lab slow, and that it runs", function()
    local output, status = run("sh -c 'ulimit -n 256; exec " .. support.program .. " doctor'")
    assert.is_truthy(output:find("slow  open files %s+256\n"), output)
    assert.same(0, status)
  end)

  it("takes no arguments", function()
    local output, status = run(support.program .. " doctor now")
    assert.same("corolua doctor: it takes no arguments, got 'now'\n", output)
    assert.same(2, status)
  end)
end)
