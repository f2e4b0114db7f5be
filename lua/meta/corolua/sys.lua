---@meta corolua.sys
--- What the lab and `corolua.exec` need of Linux and Lua does not have:
--- namespaces, mounts, processes, and a guard that outlives the program.

local sys = {}

--- An open file descriptor, closed by close, by `<close>` or by the collector.
---@class corolua.Descriptor
local descriptor = {}

--- Bytes that are there, "" at the end. Waits, unless it was told not to.
---@param size? integer at most so many; 65536 if not given
---@return string? bytes
---@return string? message
---@return string? code "EAGAIN" if nothing is there and it must not wait
function descriptor:read(size) end

--- Writes the bytes, or the first of them.
---@param bytes string
---@return integer? count how many
---@return string? message
---@return string? code
function descriptor:write(bytes) end

--- The number of the descriptor, for `loop.fd`.
---@return integer
function descriptor:fileno() end

--- What tells one namespace from another.
---@return integer? inode
---@return string? message
---@return string? code
function descriptor:inode() end

--- From now on, reading and writing never wait.
---@return true? done
---@return string? message
---@return string? code
function descriptor:nonblocking() end

--- Closes it; may be called again.
---@return nil
function descriptor:close() end

--- A process that kills what it was told of once the program has ended, in
--- whatever way. Closing it does the same.
---@class corolua.Guard
local guard = {}

--- Every process in that network dies with the program.
---@param inode integer of the network namespace
---@return true? done
---@return string? message
---@return string? code
function guard:watch(inode) end

--- That network is not the guard's any more.
---@param inode integer
---@return true? done
---@return string? message
---@return string? code
function guard:unwatch(inode) end

--- That process group has ended.
---@param group integer
---@return true? done
---@return string? message
---@return string? code
function guard:forget(group) end

--- Kills what it knows, and ends.
---@return nil
function guard:close() end

---@class corolua.SpawnOptions
---@field net? corolua.Descriptor the network namespace to run in
---@field binds? string[] source, target, source, …: mounted in a mount namespace of its own
---@field placement? "group"|"session"|"terminal" "group" if not given; a terminal's foreground
---@field stdin? corolua.Descriptor /dev/null if not given, as the next two
---@field stdout? corolua.Descriptor
---@field stderr? corolua.Descriptor
---@field inherit? boolean what is not given of the three is the program's own
---@field cwd? string
---@field env? string[] "NAME=value", in place of the program's own of that name; "NAME" takes it away
---@field guard? corolua.Guard told of the process group before the program runs

--- Runs a program as a child that dies with the thread that started it.
---@param command string[] the program and its arguments
---@param options corolua.SpawnOptions
---@return integer? pid
---@return string? message which step failed, and why
---@return string? code "ENOENT" if there is no such program, or no such folder
function sys.spawn(command, options) end

--- Sends a signal to a process.
---@param pid integer
---@param signal "CONT"|"HUP"|"INT"|"KILL"|"QUIT"|"STOP"|"TERM"|"USR1"|"USR2"
---@return true? done
---@return string? message
---@return string? code "ESRCH" if there is no such process
function sys.kill(pid, signal) end

--- Sends a signal to a process group.
---@param group integer
---@param signal "CONT"|"HUP"|"INT"|"KILL"|"QUIT"|"STOP"|"TERM"|"USR1"|"USR2"
---@return true? done
---@return string? message
---@return string? code "ESRCH" if there is no such group
function sys.kill_group(group, signal) end

--- Waits, without the loop, for a child that has been killed.
---@param pid integer
---@return "exit"|"signal"? kind
---@return integer|string? status or the signal's number; or message
---@return string? code
function sys.reap(pid) end

--- Puts the program's own process group into the foreground of its terminal.
---@return nil
function sys.take_terminal() end

--- Whether a descriptor of the program is a terminal.
---@param fd integer
---@return boolean
function sys.is_terminal(fd) end

--- Starts a guard.
---@return corolua.Guard? guard
---@return string? message
---@return string? code
function sys.guard() end

--- Kills every process in those networks, and waits until none is left. Never
--- the caller, nor anybody in the network the caller is in.
---@param inodes integer[]
---@return nil
function sys.sweep(inodes) end

--- Makes new namespaces, and enters them.
---@param ... "net"|"mnt"|"user"
---@return true? done
---@return string? message
---@return string? code
function sys.unshare(...) end

--- The namespace that the calling thread is in.
---@param kind "net"|"mnt"|"user"
---@return corolua.Descriptor? namespace
---@return string? message
---@return string? code
function sys.namespace(kind) end

--- Enters a namespace.
---@param namespace corolua.Descriptor
---@return true? done
---@return string? message
---@return string? code
function sys.setns(namespace) end

--- The root folder that the program sees.
---@return corolua.Descriptor? folder
---@return string? message
---@return string? code
function sys.root() end

--- Makes a folder the root that the program sees, and goes there.
---@param folder corolua.Descriptor
---@return true? done
---@return string? message
---@return string? code
function sys.chroot(folder) end

--- Calls the function in that network, and returns its results. It cannot
--- yield; its errors pass through, and the thread is back in every case.
---@param namespace corolua.Descriptor
---@param fn function
---@param ... any
---@return any ...
function sys.call(namespace, fn, ...) end

--- mount(2).
---@param source string?
---@param target string
---@param type string?
---@param data string?
---@param ... "bind"|"nodev"|"nosuid"|"private"|"recursive"
---@return true? done
---@return string? message
---@return string? code
function sys.mount(source, target, type, data, ...) end

--- Unmounts at once, also what is in use.
---@param target string
---@return true? done
---@return string? message
---@return string? code
function sys.unmount(target) end

--- A pipe.
---@return corolua.Descriptor? reading
---@return corolua.Descriptor|string? writing or message
---@return string? code
function sys.pipe() end

--- Opens a file.
---@param path string
---@param mode "r"|"a"
---@return corolua.Descriptor? file
---@return string? message
---@return string? code
function sys.open(path, mode) end

--- Who runs the program.
---@return { pid: integer, uid: integer, gid: integer }
function sys.id() end

--- How many corosync handles of this Lua state are open.
---@return integer
function sys.handles() end

--- The candidate that was meant by the word, or nil if none is near.
---@param word string
---@param candidates string[]
---@return string?
function sys.nearest(word, candidates) end

return sys
