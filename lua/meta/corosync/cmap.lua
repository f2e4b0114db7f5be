---@meta corosync.cmap

--- The daemon's map of keys to typed values. The functions of corosync/cmap.h
--- by their names without cmap_. Keys have 3 to 255 bytes of letters, digits
--- and . _ - / :
local cmap = {}

---@alias corosync.cmap.Type
---| "int8"
---| "uint8"
---| "int16"
---| "uint16"
---| "int32"
---| "uint32"
---| "int64"
---| "uint64" from 2^63 on a negative integer in Lua
---| "float"
---| "double"
---| "string" without NUL, up to 16383 bytes
---| "binary" up to 16384 bytes

---@alias corosync.cmap.Value integer|number|string

--- new is nil after a delete and old after an add; type is that of the new
--- value, after a delete that of the old one.
---@alias corosync.cmap.Handler fun(handle: corosync.cmap.Handle, change: "add"|"delete"|"modify", key: string, new?: corosync.cmap.Value, old?: corosync.cmap.Value, type: corosync.cmap.Type)

---@class corosync.cmap.Handle: corosync.Handle
local Handle = {}

--- Connects to a map of the local daemon (cmap_initialize_map).
---@param map? "icmap"|"stats" "icmap" if not given
---@return corosync.cmap.Handle|nil handle
---@return string|nil message
---@return string|nil code
function cmap.initialize(map) end

--- The handle of initialize, still closed: corolua.worker connects it.
---@private
---@param map? "icmap"|"stats" "icmap" if not given
---@return corosync.cmap.Handle handle
function cmap.prepare(map) end

--- Sets a key, and makes it if need be. A value that the type cannot hold raises.
---@param key string
---@param value corosync.cmap.Value
---@param type corosync.cmap.Type
---@return true|nil ok
---@return string|nil message
---@return string|nil code "ERR_ACCESS": read-only; "ERR_NAME_TOO_LONG": also for bad characters
function Handle:set(key, value, type) end

---@param key string
---@return corosync.cmap.Value|nil value
---@return corosync.cmap.Type|string type or message
---@return string|nil code "ERR_NOT_EXIST"
function Handle:get(key) end

---@param key string
---@return true|nil ok
---@return string|nil message
---@return string|nil code "ERR_NOT_EXIST", "ERR_ACCESS"
function Handle:delete(key) end

--- Adds one to an integer, which wraps around.
---@param key string
---@return true|nil ok
---@return string|nil message
---@return string|nil code "ERR_INVALID_PARAM": no integer
function Handle:inc(key) end

--- Takes one from an integer, which wraps around.
---@param key string
---@return true|nil ok
---@return string|nil message
---@return string|nil code "ERR_INVALID_PARAM": no integer
function Handle:dec(key) end

--- The keys that start with prefix, or all, with their types: a list that is
--- complete before the first step.
---@param prefix? string
---@return (fun(): string?, corosync.cmap.Type?)|nil iterator
---@return string|nil message
---@return string|nil code
function Handle:iterate(prefix) end

--- Calls the handler from dispatch on each listed change of the key; with
--- "prefix" of all keys that start with it.
---@param key? string
---@param changes ("add"|"delete"|"modify"|"prefix")[]
---@param handler corosync.cmap.Handler
---@return integer|nil track
---@return string|nil message
---@return string|nil code
function Handle:track_add(key, changes, handler) end

--- Ends a track; its handler is not called again.
---@param track integer
---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:track_delete(track) end

---@param key string
---@param value integer
---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:set_int8(key, value) end

---@param key string
---@return integer|nil value
---@return string|nil message
---@return string|nil code "ERR_INVALID_PARAM": of another type
function Handle:get_int8(key) end

---@param key string
---@param value integer
---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:set_uint8(key, value) end

---@param key string
---@return integer|nil value
---@return string|nil message
---@return string|nil code "ERR_INVALID_PARAM": of another type
function Handle:get_uint8(key) end

---@param key string
---@param value integer
---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:set_int16(key, value) end

---@param key string
---@return integer|nil value
---@return string|nil message
---@return string|nil code "ERR_INVALID_PARAM": of another type
function Handle:get_int16(key) end

---@param key string
---@param value integer
---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:set_uint16(key, value) end

---@param key string
---@return integer|nil value
---@return string|nil message
---@return string|nil code "ERR_INVALID_PARAM": of another type
function Handle:get_uint16(key) end

---@param key string
---@param value integer
---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:set_int32(key, value) end

---@param key string
---@return integer|nil value
---@return string|nil message
---@return string|nil code "ERR_INVALID_PARAM": of another type
function Handle:get_int32(key) end

---@param key string
---@param value integer
---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:set_uint32(key, value) end

---@param key string
---@return integer|nil value
---@return string|nil message
---@return string|nil code "ERR_INVALID_PARAM": of another type
function Handle:get_uint32(key) end

---@param key string
---@param value integer
---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:set_int64(key, value) end

---@param key string
---@return integer|nil value
---@return string|nil message
---@return string|nil code "ERR_INVALID_PARAM": of another type
function Handle:get_int64(key) end

---@param key string
---@param value integer
---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:set_uint64(key, value) end

---@param key string
---@return integer|nil value
---@return string|nil message
---@return string|nil code "ERR_INVALID_PARAM": of another type
function Handle:get_uint64(key) end

---@param key string
---@param value number
---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:set_float(key, value) end

---@param key string
---@return number|nil value
---@return string|nil message
---@return string|nil code "ERR_INVALID_PARAM": of another type
function Handle:get_float(key) end

---@param key string
---@param value number
---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:set_double(key, value) end

---@param key string
---@return number|nil value
---@return string|nil message
---@return string|nil code "ERR_INVALID_PARAM": of another type
function Handle:get_double(key) end

---@param key string
---@param value string
---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:set_string(key, value) end

---@param key string
---@return string|nil value
---@return string|nil message
---@return string|nil code "ERR_INVALID_PARAM": of another type
function Handle:get_string(key) end

return cmap
