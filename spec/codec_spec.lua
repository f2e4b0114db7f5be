local codec = require("corolua.base.codec")
local support = require("spec.support")

local folder = package.searchpath("corolua", package.path):match("^(.*/)corolua/init%.lua$")
local LIBRARIES = { "corolua.base.json", "cjson", "dkjson" }

-- Calls the function where these paths are all there is, and nothing that it may
-- load has been loaded.
local function where_paths_are(path, cpath, fn)
  local before_path, before_cpath, before = package.path, package.cpath, {}
  for _, name in ipairs(LIBRARIES) do
    before[name], package.loaded[name] = package.loaded[name], nil
  end
  package.path, package.cpath = path, cpath
  local results = table.pack(pcall(fn))
  package.path, package.cpath = before_path, before_cpath
  for _, name in ipairs(LIBRARIES) do package.loaded[name] = before[name] end
  return table.unpack(results, 1, results.n)
end

local function load_json(library)
  local cpath = library == "cjson" and package.cpath or ""
  return select(2, assert(where_paths_are(package.path, cpath, function()
    return require("corolua.base.json")
  end)))
end

local function of(spec)
  local made = codec.of(spec, "x", 1)
  return made -- no tail call: it would hide this line
end

describe("corolua.base.codec", function()
  it("sends strings as they are", function()
    local strings = of("string")
    assert.equal("a\0b", strings.encode("a\0b"))
    assert.equal("a\0b", strings.decode("a\0b"))
    assert.has_error(function() strings.encode({}) end,
      'payload must be a string, got table (codec = "json" sends tables)')
  end)

  it("raises at the level that it is given", function()
    local function line_of(call, ...)
      local _, message = pcall(call, ...)
      return tonumber(message:match("codec_spec.lua:(%d+):"))
    end
    for _, name in ipairs({ "string", "json" }) do
      local encode = of(name).encode
      local here = debug.getinfo(1, "l").currentline
      local function send(value) encode(value, 2) return true end
      local function caller() send(print) return true end
      assert.equal(here + 2, line_of(caller))
    end
  end)

  describe("of functions", function()
    local doubled = {
      encode = function(value) return value .. value end,
      decode = function(bytes) return bytes:sub(1, #bytes // 2) end,
    }

    it("encodes and decodes", function()
      local custom = of(doubled)
      assert.equal("abab", custom.encode("ab"))
      assert.equal("ab", custom.decode("abab"))
    end)

    it("raises a sentence for what encode cannot do", function()
      assert.error_matches(function() of(doubled).encode({}) end,
        "the codec cannot encode the payload: .*concatenate")
      local numbers = of({ encode = function() return 5 end, decode = print })
      assert.has_error(function() numbers.encode("x") end,
        "encode of the codec must return a string, got number")
    end)

    it("never raises from decode", function()
      local function decoder(decode) return of({ encode = tostring, decode = decode }).decode end
      assert.same({ nil, "bad bytes" }, { decoder(function() error("bad bytes", 0) end)("x") })
      assert.same({ nil, "why" }, { decoder(function() return nil, "why" end)("x") })
      assert.same({ nil, "decode of the codec returned nil" }, { decoder(function() end)("x") })
      assert.same({ false }, { decoder(function() return false end)("x") })
    end)
  end)

  it("raises for what is no codec", function()
    local cases = {
      ['x: option \'codec\' must be "string", "json" or { encode =, decode = }, got "jsno", '
        .. "did you mean 'json'?"] = "jsno",
      ["x: codec: unknown field 'encoder', did you mean 'encode'?"] = { encoder = print },
      ["x: codec: field 'decode' must be a function, got nil"] = { encode = print },
    }
    for message, spec in pairs(cases) do
      support.raises(message:gsub("[%-%?%[%]]", "%%%0"), function() codec.of(spec, "x", 1) end)
    end
  end)

  it("says what to install where JSON has no library", function()
    local ok, why = where_paths_are(folder .. "?.lua", "", function() of("json") end)
    assert.is_false(ok)
    support.raises('codec "json" needs lua%-cjson or lua%-dkjson: apt%-get install lua%-cjson$',
      function() error(why, 0) end)
  end)

  for _, library in ipairs({ "cjson", "dkjson" }) do
    describe("json by " .. library, function()
      local json = load_json(library)

      it("is what it says", function()
        assert.equal(library, json.library)
      end)

      it("brings values back", function()
        for _, value in ipairs({ "text", "", "\0\1\"\\/é", true, false, 0, -5, 99999999999999, 2.5,
          1e300, {}, { 1, 2, 3 }, { a = { b = { {}, "x" } }, ["1"] = 2 } }) do
          assert.same(value, (json.decode(json.encode(value))))
        end
        assert.equal(json.null, json.decode(json.encode({ json.null }))[1])
        assert.equal(json.null, (json.decode("null")))
      end)

      it("gives whole numbers back as integers", function()
        for _, text in ipairs({ "3", "3.0", "[3]", "{\"1\":3.0}" }) do
          local value = json.decode(text)
          if type(value) == "table" then value = select(2, next(value)) end
          assert.equal("integer", math.type(value))
        end
        assert.equal("float", math.type((json.decode("100000000000000"))))
      end)

      it("leaves nothing on the tables it makes", function()
        assert.is_nil(getmetatable((json.decode("{}"))))
        assert.is_nil(getmetatable((json.decode("[]"))))
      end)

      local cyclic = {}
      cyclic.self = cyclic
      for why, value in pairs({
        ["payload is a function, which JSON does not have"] = print,
        ["payload.a[2] is a function, which JSON does not have"] = { a = { 1, print } },
        ["payload is inf, which JSON does not have"] = math.huge,
        ["payload.id has more digits than JSON keeps (14): send it as a string"] = { id = 1 << 60 },
        ["payload has keys that are not strings and is no list"] = { 1, a = 2 },
        ["payload is a list with holes"] = { 1, nil, 3, nil, 5 },
        ["is nested too deep, or holds itself"] = cyclic,
      }) do
        it("refuses to send: " .. why, function()
          assert.error_matches(function() json.encode(value) end, why, 1, true)
        end)
      end

      it("says a sentence for nil", function()
        assert.has_error(function() json.encode(nil) end,
          "payload is nil: null stands for it in JSON")
      end)

      for _, bytes in ipairs({ "", " ", "{", "[1", "nan", "[-NaN]", "Infinity", "1 2", "{a:1}",
        "'x'", "\xFF", "\0", "\"open", ("["):rep(200000), ("["):rep(150) .. ("]"):rep(150),
        "1e999", "[-1e999]", "{\"a\":[1e999]}", ("9"):rep(400) }) do
        it(("gives nil and why for %q"):format(bytes:sub(1, 10)), function()
          local value, why = json.decode(bytes)
          assert.is_nil(value)
          assert.is_string(why)
        end)
      end
    end)
  end
end)
