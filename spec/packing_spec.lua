local host = require("corolua.host")
local lfs = require("lfs")
local packing = require("corolua.packing")

local HEADER, LENGTH, PLACE = 32, 4, 8

-- The frame of docs/wire.md, written down a second time.
local function frame_of(fields, body)
  return string.pack("<c2BBI4I4I4I8I8", fields.mark or "\xC1P", fields.version or 1,
    fields.kind or 1, fields.life or 7, fields.nodeid or 1, fields.count or 1, fields.seq or 20,
    fields.first or 1) .. body
end

local function fragment_of(first, total, offset, piece)
  return frame_of({ kind = 2, first = first }, string.pack("<I4I4", total, offset) .. piece)
end

local function messages_of(first, ...)
  local body = {}
  for _, message in ipairs({ ... }) do
    body[#body + 1] = string.pack("<s4", message)
  end
  return frame_of({ first = first, count = #body }, table.concat(body))
end

-- Random numbers of 0 to most, the same in every run.
local function generator(seed)
  return function(most)
    seed = (seed * 6364136223846793005 + 1442695040888963407)
    return (seed >> 33) % (most + 1)
  end
end

local function random_bytes(random, length)
  local bytes = {}
  for i = 1, length do bytes[i] = string.char(random(255)) end
  return table.concat(bytes)
end

local function read_all(unpacker, frames)
  local received = {}
  for _, frame in ipairs(frames) do
    local payloads, first, ring, gap = unpacker:read("peer", frame)
    assert.is_not_nil(payloads, first)
    assert.is_nil(gap)
    assert.same({ nodeid = 1, seq = 20 }, ring)
    for _, payload in ipairs(payloads or {}) do received[#received + 1] = payload end
  end
  return received
end

local function send_all(packer, messages)
  local frames = {}
  local function flush() frames[#frames + 1] = packer:flush(1, 20) end
  for _, message in ipairs(messages) do
    if #message > packer:longest() then
      flush()
      for frame in packer:split(message, 1, 20) do frames[#frames + 1] = frame end
    elseif not packer:add(message) then
      flush()
      assert.is_number(packer:add(message))
    end
  end
  flush()
  return frames
end

describe("corolua.packing", function()
  describe(".packer", function()
    it("writes the frame that docs/wire.md describes", function()
      local packer = packing.packer({ life = 7 })
      assert.equal(1, packer:add("one"))
      assert.equal(2, packer:add(""))
      local frame, first, count = packer:flush(1, 20)
      assert.equal(messages_of(1, "one", ""), frame)
      assert.same({ 1, 2 }, { first, count })
      packer:add("three")
      assert.equal(messages_of(3, "three"), (packer:flush(1, 20)))
    end)

    it("gives nothing where nothing was added", function()
      local packer = packing.packer({ life = 7 })
      assert.is_nil(packer:flush(1, 20))
      assert.same({ 0, HEADER }, { packer:pending() })
    end)

    it("is full when the next message does not fit max_frame", function()
      local packer = packing.packer({ life = 7, max_frame = HEADER + 2 * (LENGTH + 15) })
      assert.equal(1, packer:add(("x"):rep(15)))
      assert.equal(2, packer:add(("x"):rep(15)))
      assert.is_false(packer:add(""))
      assert.equal(2, (packer:pending()))
      local frame = packer:flush(1, 20)
      assert.equal(HEADER + 2 * (LENGTH + 15), #frame)
      assert.equal(3, packer:add(""))
    end)

    it("sends a message over max_frame alone, up to the atomic size", function()
      local packer = packing.packer({ life = 7 })
      assert.equal(1047552 - HEADER - LENGTH, packer:longest())
      packer:add(("x"):rep(packer:longest()))
      assert.is_false(packer:add(""))
      assert.equal(1047552, #packer:flush(1, 20))
      assert.has_error(function() packer:add(("x"):rep(packer:longest() + 1)) end,
        "bad argument #1 to 'add' (payload must have at most 1047516 bytes, got 1047517)")
    end)

    it("splits a message into fragments in order", function()
      local packer = packing.packer({ life = 7, max_frame = 64 })
      local frames, number = packer:split(("ab"):rep(20), 1, 20)
      assert.equal(1, number)
      assert.equal(fragment_of(1, 40, 0, ("ab"):rep(12)), frames())
      assert.equal(fragment_of(1, 40, 24, ("ab"):rep(8)), frames())
      assert.is_nil(frames())
      assert.is_nil(frames())
      assert.equal(2, packer:add("next"))
    end)

    it("sends in the life it was given", function()
      for _, life in ipairs({ 0, 1, 4294967295 }) do
        local packer = packing.packer({ life = life })
        packer:add("")
        assert.equal(life, (string.unpack("<I4", packer:flush(1, 20), 5)))
      end
    end)

    it("raises for misuse, naming it", function()
      local packer = packing.packer({ life = 7 })
      local cases = {
        { "payload must be a string, got number", packer.add, packer, 5 },
        { "payload must not be empty", packer.split, packer, "", 1, 20 },
        { "nodeid of the ring must be an integer of 0 to 4294967295, got -1",
          packer.flush, packer, -1, 20 },
        { "did you mean 'max_frame'", packing.packer, { max_frames = 1 } },
        { "option 'max_frame' must be an integer of 64 to 1047552, got 63",
          packing.packer, { life = 7, max_frame = 63 } },
        { "option 'life' must be an integer of 0 to 4294967295, got nil", packing.packer, {} },
        { "table expected, got ", packing.packer },
        { "option 'life' must be an integer of 0 to 4294967295, got -1",
          packing.packer, { life = -1 } },
        { "option 'life' must be an integer of 0 to 4294967295, got 1.5",
          packing.packer, { life = 1.5 } },
        { "unknown option 'limit'", packing.unpacker, { limit = 1 } },
        { "a member was expected", packing.unpacker().read, packing.unpacker(), nil, "" },
      }
      for _, case in ipairs(cases) do
        local raised, message = pcall(table.unpack(case, 2, 6))
        assert.is_false(raised)
        assert.matches(case[1], message, 1, true)
      end
      packer:add("held")
      assert.error_matches(function() packer:split("x", 1, 20) end, "flush first", 1, true)
    end)
  end)

  describe(".unpacker", function()
    local unpacker

    before_each(function()
      unpacker = packing.unpacker({ max_message = 1000 })
    end)

    it("gives the messages, their first number and their ring", function()
      local payloads, first, ring, gap = unpacker:read("a", messages_of(5, "five", "", "seven"))
      assert.same({ "five", "", "seven" }, payloads)
      assert.equal(5, first)
      assert.same({ nodeid = 1, seq = 20 }, ring)
      assert.is_nil(gap)
      local _, _, same = unpacker:read("b", messages_of(1, ""))
      assert.equal(ring, same)
    end)

    it("reports the numbers that are missing, of each member by itself", function()
      unpacker:read("a", messages_of(1, "x", "y"))
      local payloads, first, _, gap_first, gap_last = unpacker:read("a", messages_of(6, "z"))
      assert.same({ { "z" }, 6, 3, 5 }, { payloads, first, gap_first, gap_last })
      assert.is_nil((select(4, unpacker:read("b", messages_of(6, "z")))))
    end)

    it("calls numbers that come again malformed", function()
      unpacker:read("a", messages_of(3, "x", "y"))
      for first = 1, 4 do
        assert.same({ nil, "numbers that have been come again" },
          { unpacker:read("a", messages_of(first, "again", "again")) })
      end
      assert.is_nil((select(4, unpacker:read("a", messages_of(5, "next")))))
    end)

    it("counts from anew in another life", function()
      unpacker:read("a", messages_of(30, "x"))
      local payloads, _, _, gap = unpacker:read("a", frame_of({ life = 8, first = 3 },
        string.pack("<s4", "reborn")))
      assert.same({ "reborn" }, payloads)
      assert.is_nil(gap)
    end)

    it("has no gap at the first message of a member that was forgotten", function()
      unpacker:read("a", messages_of(1, "x"))
      unpacker:forget("a")
      assert.is_nil((select(4, unpacker:read("a", messages_of(9, "y")))))
    end)

    it("keeps the number of a member that was parked", function()
      unpacker:read("a", messages_of(1, "x"))
      unpacker:park("a")
      unpacker:park("never seen")
      assert.equal(2, (select(4, unpacker:read("a", messages_of(9, "y")))))
    end)

    it("puts fragments together", function()
      assert.is_false((unpacker:read("a", fragment_of(1, 6, 0, "ab"))))
      assert.is_false((unpacker:read("a", fragment_of(1, 6, 2, "cd"))))
      local payloads, number, ring = unpacker:read("a", fragment_of(1, 6, 4, "ef"))
      assert.same({ { "abcdef" }, 1, { nodeid = 1, seq = 20 } }, { payloads, number, ring })
      assert.is_nil((select(4, unpacker:read("a", messages_of(2, "next")))))
    end)

    it("takes the ring of the first fragment as the message's", function()
      unpacker:read("a", fragment_of(1, 4, 0, "ab"))
      local _, _, ring = unpacker:read("a", frame_of({ kind = 2, seq = 24 },
        string.pack("<I4I4", 4, 2) .. "cd"))
      assert.equal(20, ring.seq)
    end)

    it("skips a message whose beginning it has not seen", function()
      assert.same({ false }, { unpacker:read("a", fragment_of(8, 6, 2, "cd")) })
      assert.same({ false }, { unpacker:read("a", fragment_of(8, 6, 4, "ef")) })
      local payloads, _, _, gap = unpacker:read("a", messages_of(9, "whole"))
      assert.same({ "whole" }, payloads)
      assert.is_nil(gap)
    end)

    it("reports a message with a lost fragment as a gap at the next one", function()
      unpacker:read("a", messages_of(1, "x"))
      unpacker:read("a", fragment_of(2, 6, 0, "ab"))
      assert.same({ false }, { unpacker:read("a", fragment_of(2, 6, 4, "ef")) })
      local payloads, _, _, first, last = unpacker:read("a", messages_of(3, "y"))
      assert.same({ { "y" }, 2, 2 }, { payloads, first, last })
    end)

    it("reports the gap before fragments when they begin", function()
      unpacker:read("a", messages_of(1, "x"))
      local payloads, _, _, first, last = unpacker:read("a", fragment_of(5, 6, 0, "ab"))
      assert.same({ false, 2, 4 }, { payloads, first, last })
      assert.is_nil((select(4, unpacker:read("a", fragment_of(5, 6, 2, "cdef")))))
    end)

    it("gives up an unfinished message of a member that was parked", function()
      unpacker:read("a", fragment_of(1, 4, 0, "ab"))
      unpacker:park("a")
      assert.same({ false }, { unpacker:read("a", fragment_of(1, 4, 2, "cd")) })
      assert.equal(1, (select(4, unpacker:read("a", messages_of(2, "next")))))
    end)

    it("refuses a message over max_message once, and skips the rest of it", function()
      assert.same({ nil, "a message is over max_message" },
        { unpacker:read("a", fragment_of(1, 1001, 0, "ab")) })
      assert.same({ false }, { unpacker:read("a", fragment_of(1, 1001, 2, "cd")) })
      local none = packing.unpacker({ max_message = 0 })
      assert.is_nil((none:read("a", fragment_of(1, 1, 0, "a"))))
    end)

    -- Whether the frame was read with no more than so many bytes, and what that
    -- gave.
    local function read_within(bytes, reader, frame)
      if bytes then
        collectgarbage()
        collectgarbage() -- what finalizers have let go
        host.set_memory_limit(math.floor(collectgarbage("count") * 1024) + bytes)
      end
      local ok, payloads, first, _, gap_first, gap_last = pcall(reader.read, reader, "a", frame)
      host.set_memory_limit(0)
      if ok then return true, payloads, first, gap_first, gap_last end
      assert.equal("not enough memory", payloads)
      return false
    end

    -- Reads the frames, one of them with so many bytes; whether that was enough,
    -- and what was told of each number, in order.
    local function told_of(frames, short, bytes)
      local reader, told, enough = packing.unpacker(), {}, true
      for i, frame in ipairs(frames) do
        local ok, payloads, first, gap_first, gap_last =
          read_within(i == short and bytes, reader, frame)
        for number = gap_first or 1, gap_last or 0 do told[#told + 1] = number end
        for i_payload in ipairs(payloads or {}) do told[#told + 1] = first + i_payload - 1 end
        enough = enough and ok
      end
      return enough, told
    end

    it("tells of each number once, whichever read found no memory", function()
      local frames = {
        messages_of(1, "before"), fragment_of(5, 6, 0, "ab"), fragment_of(5, 6, 2, "cdef"),
        frame_of({ seq = 24, first = 8, count = 2 }, string.pack("<s4s4", "eight", "nine")),
        fragment_of(12, 2, 0, "ab"), messages_of(14, "behind"),
      }
      local expected = {}
      for number = 1, 14 do expected[number] = number end
      for short = 2, #frames - 1 do
        local bytes, fails = -256, -1
        repeat
          local enough, told = told_of(frames, short, bytes)
          assert.same(expected, told, ("frame %d with %d bytes"):format(short, bytes))
          bytes, fails = bytes + 16, fails + 1
        until enough
        assert.is_true(fails > 0)
      end
    end)

    it("takes no memory for what fragments only claim", function()
      local wide = packing.unpacker()
      collectgarbage()
      local before = collectgarbage("count")
      for member = 1, 100 do
        wide:read(member, fragment_of(1, 16 * 1024 * 1024, 0, "x"))
      end
      collectgarbage()
      assert.is_true(collectgarbage("count") - before < 64)
    end)

    local valid = messages_of(1, "one", "two")
    for why, frame in pairs({
      ["not a frame of a packed group"] = "plain text, not packed, of some length at that",
      ["the frame is shorter than its header"] = valid:sub(1, 31),
      ["a version of the format that is not known here"] = frame_of({ version = 2 }, ""),
      ["a kind of frame that is not known here"] = frame_of({ kind = 3 }, ""),
      ["the frame holds no message"] = frame_of({ count = 0 }, ""),
      ["the numbers of the messages are out of range"] = messages_of(0, "zero"),
      ["the frame ends before its last message"] = frame_of({ count = 2 }, "\0\0\0\0"),
      ["a message is longer than its frame"] = frame_of({}, "\2\0\0\0x"),
      ["bytes follow the last message of the frame"] = valid .. "x",
      ["a fragment counts other than one message"] = frame_of({ kind = 2, count = 2 },
        ("\1"):rep(9)),
      ["a fragment without bytes"] = fragment_of(1, 4, 4, ""),
      ["a fragment is longer than its message"] = fragment_of(1, 4, 3, "xy"),
    }) do
      it("says of a frame: " .. why, function()
        assert.same({ nil, why }, { unpacker:read("a", frame) })
        assert.same({ "first" }, (unpacker:read("a", messages_of(1, "first"))))
      end)
    end

    it("refuses numbers past the integers of Lua", function()
      assert.is_nil((unpacker:read("a", messages_of(math.mininteger, "x"))))
      assert.is_nil((unpacker:read("a", messages_of(math.maxinteger, "x", "y"))))
      assert.same({ "x" }, (unpacker:read("a", messages_of(math.maxinteger, "x"))))
    end)
  end)

  describe("a round trip", function()
    it("brings back random messages of all sizes, long ones in fragments", function()
      local random = generator(1)
      for round = 1, 60 do
        local options = { life = 7, max_frame = 64 + random(400), max_atomic = 600 + random(2000) }
        local messages = {}
        for i = 1, 40 do
          local most = ({ 0, 1, 100, options.max_frame, 3 * options.max_atomic })[1 + random(4)]
          messages[i] = random_bytes(random, random(most))
        end
        local frames = send_all(packing.packer(options), messages)
        for _, frame in ipairs(frames) do
          assert.is_true(#frame <= options.max_atomic)
        end
        assert.same(messages, read_all(packing.unpacker(), frames), "round " .. round)
      end
    end)

    it("brings back messages at the limits", function()
      local packer = packing.packer({ life = 7 })
      local messages = {}
      for i, length in ipairs({ 0, 1, 65500, 65501, packer:longest(), packer:longest() + 1,
        16 * 1024 * 1024 }) do
        messages[i] = ("z"):rep(length)
      end
      local received = read_all(packing.unpacker(), send_all(packer, messages))
      assert.equal(#messages, #received)
      for i, message in ipairs(messages) do assert.is_true(message == received[i]) end
    end)

    it("finds every truncation of a frame malformed, of a fragment a shorter piece", function()
      local whole = messages_of(1, "one", "", "three")
      for length = 0, #whole - 1 do
        assert.is_nil((packing.unpacker():read("a", whole:sub(1, length))))
      end
      local piece = fragment_of(1, 5, 0, "12345")
      for length = 0, #piece - 1 do
        local payloads = packing.unpacker():read("a", piece:sub(1, length))
        if length > HEADER + PLACE then
          assert.is_false(payloads)
        else
          assert.is_nil(payloads)
        end
      end
    end)

    it("gives one of its results for every frame with one byte changed", function()
      local frames = { messages_of(3, "one", "", "three"), fragment_of(3, 9, 4, "12345") }
      for _, frame in ipairs(frames) do
        for place = 1, #frame do
          for byte = 0, 255 do
            local unpacker = packing.unpacker({ max_message = 9 })
            unpacker:read("a", messages_of(2, "before"))
            local changed = frame:sub(1, place - 1) .. string.char(byte) .. frame:sub(place + 1)
            local payloads, first = unpacker:read("a", changed)
            assert.is_true(type(payloads) == "table" and #payloads > 0 or payloads == false or
              payloads == nil and type(first) == "string")
          end
        end
      end
    end)

    it("tells of each number once, delivered or in a gap, whatever frames are lost", function()
      local random = generator(2)
      for _ = 1, 100 do
        local messages = {}
        for i = 1, 30 do messages[i] = tostring(i):rep(1 + random(60)) end
        local unpacker, expected = packing.unpacker(), nil
        local options = { life = 7, max_frame = 64, max_atomic = 80 }
        for _, frame in ipairs(send_all(packing.packer(options),
          messages)) do
          local is_lost = random(3) == 0
          local payloads, first, _, gap_first, gap_last
          if not is_lost then
            payloads, first, _, gap_first, gap_last = unpacker:read("a", frame)
          end
          if gap_first then
            assert.equal(expected, gap_first)
            expected = gap_last + 1
          end
          for i, payload in ipairs(payloads or {}) do
            assert.equal(messages[first + i - 1], payload)
            assert.equal(expected or first + i - 1, first + i - 1)
            expected = first + i
          end
          if payloads == false and first then expected = expected or first end
        end
      end
    end)
  end)

  it("has the functions and methods that lua/meta describes", function()
    local file <close> = assert(io.open("lua/meta/corolua/packing.lua"))
    local described = { packing = {}, packer = {}, unpacker = {} }
    for object, name in file:read("a"):gmatch("\nfunction (%w+)[.:](%w+)%(") do
      described[object][name] = true
    end
    local function names(loaded)
      local set = {}
      for name in pairs(loaded) do set[name] = true end
      return set
    end
    assert.same(described, {
      packing = names(packing),
      packer = names(getmetatable(packing.packer({ life = 7 })).__index),
      unpacker = names(getmetatable(packing.unpacker()).__index),
    })
  end)

  it("reads what the fuzzer keeps without an error", function()
    local count = 0
    for name in lfs.dir("spec/fuzz/corpus/packing") do
      local file = assert(io.open("spec/fuzz/corpus/packing/" .. name, "rb"))
      local bytes = file:read("a")
      file:close()
      local unpacker, place = packing.unpacker({ max_message = 4096 }), 2
      while bytes and place + 2 <= #bytes do
        local head, length = string.unpack("<BI2", bytes, place)
        unpacker:read(head & 3, bytes:sub(place + 3, place + 2 + length))
        place = place + 3 + length
        count = count + 1
      end
    end
    assert.is_true(count > 0)
  end)
end)
