local traceback = require("corolua.base.traceback")

local folder = package.searchpath("corolua", package.path):match("^(.*/)corolua/init%.lua$")

local function lines(...) return table.concat({ ... }, "\n") end

describe("corolua.base.traceback", function()
  it("keeps the functions of the script, and what C does for them", function()
    local text = lines("a.lua:1: oops", "stack traceback:", "\t[C]: in function 'error'",
      "\ta.lua:1: in upvalue 'f'", "\t[C]: in function 'table.sort'", "\ta.lua:3: in main chunk")
    assert.equal(text, traceback.trim(text))
  end)

  it("leaves out its own, and what C does for them", function()
    assert.equal(lines("a.lua:1: oops", "stack traceback:", "\ta.lua:1: in function <a.lua:1>",
      "\ta.lua:3: in main chunk"), traceback.trim(lines("a.lua:1: oops", "stack traceback:",
      "\t[C]: in function 'error'", "\t" .. folder .. "corolua/group.lua:57: in method 'send'",
      "\ta.lua:1: in function <a.lua:1>", "\t(...tail calls...)",
      "\tcorolua/task/scheduler.lua:5: in function 'corolua.run'", "\ta.lua:3: in main chunk",
      "\t[C]: in function 'xpcall'", "\tcorolua/task/scheduler.lua:7: in function <x>",
      "\t[C]: in ?")))
  end)

  it("knows its own also where Lua has cut their names", function()
    local cut = "\t..." .. folder:sub(-9) .. "corolua/rpc/server.lua:9: in field 'x'"
    assert.equal(lines("oops", "stack traceback:", "\ta.lua:1: in main chunk"),
      traceback.trim(lines("oops", "stack traceback:", cut, "\ta.lua:1: in main chunk")))
  end)

  it("knows its own also below a folder of its name", function()
    local place, path = os.tmpname(), package.path
    finally(function()
      package.path = path
      os.execute("rm -rf " .. place)
    end)
    local own = place .. "/corolua/lua/corolua"
    assert(os.execute(("rm %s && mkdir -p %s && : >%s/init.lua"):format(place, own, own)))
    package.path = place .. "/corolua/lua/?/init.lua"
    assert.equal(lines("oops", "stack traceback:", "\ta.lua:1: in main chunk"),
      traceback.trim(lines("oops", "stack traceback:", "\t[C]: in function 'error'",
      "\t" .. own .. "/group/options.lua:77: in function 'check'", "\ta.lua:1: in main chunk")))
  end)

  it("takes nobody else's file for its own", function()
    local text = lines("oops", "stack traceback:", "\tcorolua/mine.lua:1: in main chunk",
      "\t/srv/corolua/chat.lua:1: in main chunk", "\t...srv/corolua/chat.lua:1: in main chunk")
    assert.equal(text, traceback.trim(text))
  end)

  it("keeps all of an error that is its own", function()
    local text = lines("oops", "stack traceback:",
      "\tcorolua/task/scheduler.lua:5: in function <x>", "\t[C]: in ?")
    assert.equal(text, traceback.trim(text))
  end)

  it("cuts each traceback of a text", function()
    assert.equal(
      lines("one", "stack traceback:", "\ta.lua:1: in main chunk", "two", "stack traceback:",
        "\tb.lua:1: in main chunk"),
      traceback.trim(lines("one", "stack traceback:", "\ta.lua:1: in main chunk", "\t[C]: in ?",
        "two", "stack traceback:", "\tb.lua:1: in main chunk", "\t[C]: in ?")))
  end)
end)

describe("the failures of a run", function()
  -- The run that this spec is in has its own.
  local apart

  before_each(function()
    apart = dofile(package.searchpath("corolua.task.failures", folder .. "?.lua"))
  end)

  it("are none at first", function() assert.is_nil(apart.text()) end)

  it("are told in their order", function()
    apart.add("a.lua:1: one")
    apart.add("a.lua:2: two")
    assert.equal("a.lua:1: one\nthen, as the program ended:\na.lua:2: two", apart.text())
  end)

  it("tell an error once that ends several tasks", function()
    apart.add("a.lua:1: oops\nstack traceback:\n\ta.lua:1: in main chunk")
    apart.add("while a task was closed: a.lua:1: oops")
    apart.add("group 'x', handler of 'message': a.lua:1: oops\nstack traceback:\n\t…")
    assert.equal("a.lua:1: oops\nstack traceback:\n\ta.lua:1: in main chunk", apart.text())
  end)

  it("do not take an empty message for another one", function()
    apart.add("")
    apart.add("a.lua:1: oops")
    assert.equal("\nthen, as the program ended:\na.lua:1: oops", apart.text())
  end)
end)
