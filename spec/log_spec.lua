local support = require("spec.support")

-- What the program, or another one, writes to its standard error while it runs a
-- script, one line each, without what tells one process from another.
local function errors_of(script, options, program)
  local name = os.tmpname()
  finally(function() os.remove(name) end)
  local file <close> = assert(io.open(name, "w"))
  assert(file:write('local corolua = require("corolua")\nlocal log = corolua.log\n', script))
  file:close()
  local pipe <close> = assert(io.popen(("timeout -k 1 20 %s %s '%s' 2>&1 >/dev/null")
    :format(program or "'" .. support.program .. "'", options or "", name)))
  local lines = {}
  for line in pipe:lines() do
    lines[#lines + 1] = line:gsub("^corolua%[%d+%]", "corolua[N]"):gsub(name, "SCRIPT")
  end
  return lines
end

local ALL = 'log.debug("d") log.info("i") log.warn("w") log.error("e")'

describe("corolua.base.log", function()
  it("writes warnings and errors where nobody asked for a log", function()
    assert.same({ "corolua: warning: w", "corolua: error: e" }, errors_of(ALL))
  end)

  it("writes what the level of the log lets through", function()
    assert.same({
      "corolua[N] info: start of SCRIPT", "corolua[N] debug: d", "corolua[N] info: i",
      "corolua[N] warning: w", "corolua[N] error: e", "corolua[N] info: end with status 0",
    }, errors_of(ALL, "--log-level debug"))
    assert.same({ "corolua[N] error: e" }, errors_of(ALL, "--log-level error"))
    assert.same({}, errors_of(ALL, "--log-level crit"))
  end)

  it("formats, shows a value alone, and leaves a text alone as it is", function()
    assert.same({
      "corolua: warning: 50% of 2 and x", "corolua: warning: 50% %d",
      "corolua: error: { a = 1, b = { \"x\" } }", "corolua: error: nil",
      "corolua: error: group 'demo'",
    }, errors_of([[
      local spoken = setmetatable({}, { __tostring = function() return "x" end })
      log.warn("%d%% of %d and %s", 50, 2, spoken)
      log.warn("50% %d")
      log.error({ b = { "x" }, a = 1 })
      log.error()
      log.error(corolua.group("demo"))]]))
  end)

  it("does not format what is below its level", function()
    assert.same({ "corolua: warning: done" }, errors_of([[
      local never = setmetatable({}, { __tostring = function() error("formatted") end })
      log.debug("%s", never)
      log.warn("done")]]))
  end)

  it("writes a line for each line, and shows what would move a cursor", function()
    assert.same({
      "corolua: error: one", "corolua: error: ", "corolua: error: two\\x1b[2J\\x0d\\x00é\tx",
    }, errors_of([[log.error("one\n\ntwo\27[2J\r\0é\tx")]]))
  end)

  it("goes on in a next line where one is too long, and loses nothing", function()
    local lines = errors_of([[log.error(("é"):rep(999)) log.error(("x"):rep(440))]])
    local text = ""
    for i = 1, #lines - 1 do
      assert.is_truthy(utf8.len(lines[i]), lines[i])
      text = text .. lines[i]:gsub("^corolua: error: ", ""):gsub("^…", "")
    end
    assert.equal(("é"):rep(999), text)
    assert.equal("corolua: error: " .. ("x"):rep(440), lines[#lines])
  end)

  it("raises at the caller's line what is wrong", function()
    for pattern, line in pairs({
      ["SCRIPT:3: log%.error: bad argument #2 %(number expected, got string%)$"] =
        'log.error("%d", "x")',
      ["SCRIPT:3: log%.warn: bad argument #3 %(no value%)$"] = 'log.warn("%d %d", 1)',
      ["SCRIPT:3: log%.warn: invalid conversion '%%y'"] = 'log.warn("%y", 1)',
      ["SCRIPT:3: log%.error: the format must be a string, got { 1 }$"] = 'log.error({ 1 }, 2)',
      ["SCRIPT:3: unknown level of the log 'eror', did you mean 'error'%?$"] = 'log.eror("x")',
    }) do
      local lines = errors_of(line)
      assert.matches(pattern, lines[1])
    end
  end)

  it("writes to standard error in stock lua5.4", function()
    local program = ("env LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;;' LUA_CPATH='%s/lib/?.so;;' %s")
      :format(support.build, support.build, support.build, support.preload_stub()) .. " lua5.4"
    assert.same({ "corolua: warning: w", "corolua: error: e" }, errors_of(ALL, nil, program))
  end)
end)
