-- What a lab says where the machine has too little: one sentence, with what to
-- do. Each case runs in namespaces of its own, whose limits root in there sets.
local support = require("spec.support")

local PLAIN_USER = "setpriv --inh-caps=-all --bounding-set=-all "

-- What `lab.start` returns, tab by tab, after a preparation by a shell.
local function start_after(preparation, wrapper)
  local script = "print(require([[corolua.lab]]).start())"
  local line = ([[PATH="$PATH:/usr/sbin"
    unshare -Urm sh -c '%s; exec timeout -k 5 60 %s "%s" -e "%s"' 2>&1]])
    :format(preparation, wrapper or "", support.program, script)
  local pipe <close> = assert(io.popen(line))
  return pipe:read("a")
end

local function limit(kind, value)
  return ("echo %d >/proc/sys/user/max_%s_namespaces"):format(value, kind)
end

support.describe_user("lab.start, refused by the machine", function()
  for _, case in ipairs({
    { "no user namespaces", limit("user", 0), PLAIN_USER,
      "cannot make a user namespace (limit user.max_user_namespaces is 0). Ask root for "
        .. "`sysctl -w user.max_user_namespaces=15000`, or run as root.\tENOSPC" },
    { "no network namespaces", limit("net", 0), "",
      "cannot make a network namespace (limit user.max_net_namespaces is 0). Ask root for" },
    { "too few network namespaces", limit("net", 3), "",
      "cannot make a network namespace (limit user.max_net_namespaces is 3). Ask root for" },
    { "too few mount namespaces", limit("mnt", 2), "",
      "cannot make a mount namespace (limit user.max_mnt_namespaces is 2). Ask root for" },
    { "a chroot and no rights", "mount --rbind / /mnt",
      "chroot /mnt setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin ",
      "In a chroot the kernel forbids it to all but root with CAP_SYS_ADMIN: run as root there.\t"
        .. "EPERM" },
    { "no right to map the user", "true",
      "setpriv --bounding-set=-sys_admin,-setfcap --inh-caps=-sys_admin,-setfcap ",
      "Root without CAP_SETFCAP may not: run as an ordinary user, or give the container that "
        .. "capability.\tEPERM" },
    { "no user namespaces inside of a sandbox", limit("user", 1),
      "unshare -U --map-user=1000 --map-group=1000 ",
      "cannot make a user namespace: the sandbox or container around this program allows no more "
        .. "of them (bubblewrap's --disable-userns does so). Start the program without it, or "
        .. "outside.\tENOSPC" },
    { "no way into a network", "true", "env STUB=setns=1 " .. support.preload_stub() .. " ",
      "cannot enter a network namespace of its own (setns: Operation not permitted): a sandbox or "
        .. "container forbids it. Start that with a seccomp profile that allows setns, or the "
        .. "program outside of it.\tEPERM" },
    { "too few open files", "ulimit -n 40", "",
      ": `ulimit -n 1024` in the shell before it\tEMFILE" },
    { "no corosync", "mount --bind /dev/null /usr/sbin/corosync", "env PATH=/usr/bin ",
      "corosync is not installed, or not in /usr/bin:/usr/local/sbin:/usr/sbin:/sbin: on Debian, "
        .. "`apt-get install corosync`\tENOENT" },
    { "no folder for shared memory", "mount -t tmpfs none /dev; touch /dev/null", "",
      "cannot mount a private /dev/shm: mount: No such file or directory (`mkdir -m 1777 "
        .. "/dev/shm` as root)\tENOENT" },
  }) do
    local name, preparation, wrapper, sentence = table.unpack(case)
    it("says what to do about " .. name, function()
      local output = start_after(preparation, wrapper)
      assert.is_truthy(output:find("^nil\t"), output)
      assert.is_truthy(output:find(sentence, 1, true), output)
      assert.is_nil(output:find("No space left on device", 1, true), output)
    end)
  end

  it("says that its memory is full, and does not wait for the timeout", function()
    local pipe <close> = assert(io.popen(("unshare -Urm '%s' -e '%s' 2>&1"):format(
      support.program, [[
        local lab = require("corolua.lab")
        local first <close> = assert(lab.start({ nodes = 1 }))
        assert(os.execute("mount --options-mode ignore -o remount,size=20M tmpfs /dev/shm"))
        print(lab.start({ nodes = 3 }))
      ]])))
    local output = pipe:read("a")
    assert.is_truthy(output:find("^nil\t"), output)
    assert.is_truthy(output:find("The memory that the lab keeps its files in (/dev/shm, half of "
      .. "the machine's) is full: use fewer nodes, or end other programs.\tENOSPC\n", 1, true),
      output)
  end)
end)
