-- Not sanitized: Lua alone.
local virtual_synchrony = require("corolua.check.virtual_synchrony")

-- Histories of nodes by number, written as words: "R4" is a ring by its seq,
-- "-2" tells of node 2 as down, "join" is the own join, "end" the end of the
-- run, and "1a" a message of node 1. A second life of node 1 is "1'".
local function histories_of(texts)
  local histories, by_name = {}, {}
  for i, text in ipairs(texts) do
    local name, words = text:match("^(%d'?): (.*)$")
    local history = virtual_synchrony.history(math.tointeger(name:match("%d")))
    histories[i], by_name[name] = history, history
    for word in words:gmatch("%S+") do
      local ring, down = word:match("^R(%d+)$"), word:match("^%-(%d)$")
      if ring then
        history:totem_confchg({ nodeid = 1, seq = math.tointeger(ring) })
      elseif down then
        history:confchg({ { member = { nodeid = math.tointeger(down) }, reason = "nodedown" } })
      elseif word == "join" then
        history:confchg({})
      elseif word == "end" then
        history:finish()
      else
        history:deliver(word)
      end
    end
  end
  return histories, function(message) return by_name[message:match("^%d'?")] end
end

local function compare(...) return virtual_synchrony.compare(histories_of({ ... })) end

-- "pairs differing merge hidden unexplained apart"
local function figures(...)
  local found = compare(...)
  return ("%d %d %d %d %d %d"):format(found.pairs, found.differing, found.merge, found.hidden,
    found.unexplained, found.apart)
end

describe("corolua.check.virtual_synchrony", function()
  it("finds nothing where members that went on together have the same", function()
    assert.equal("2 0 0 0 0 0", figures(
      "1: R4 join R8 1a 2a R12 1b end",
      "2: join R4 R8 1a 2a R12 1b end"))
  end)

  it("leaves out the ring that a member joined in its middle", function()
    for _, start in ipairs({ "R4 join R4", "R4 join", "join R4" }) do
      assert.equal("1 0 0 0 0 0", figures(
        "1: R0 join R4 1a 1b 2a R8 1c end",
        "2: " .. start .. " 1b 2a R8 1c end"), start)
    end
  end)

  it("leaves out members that parted and came back in the same change", function()
    assert.equal("0 0 0 0 0 1", figures(
      "1: R0 join R4 1a 1b -2 R8",
      "2: R0 join R4 1a R8"))
    assert.equal("0 0 0 0 0 1", figures(
      "1: R0 join R4 1a 1b R8",
      "2: R0 join R4 1a -1 R8"))
  end)

  it("compares those again that parted in a change before", function()
    assert.equal("1 1 0 0 1 1", figures(
      "1: R0 join R4 1a -2 R8 1b 1c R12",
      "2: R0 join R4 R8 1b R12"))
  end)

  it("leaves out members that went on to different rings, and those that went nowhere", function()
    assert.equal("0 0 0 0 0 0", figures(
      "1: R0 join R4 1a -2 R8",
      "2: R0 join R4 -1 R12",
      "3: R0 join R4 1a 1b"))
  end)

  it("counts a message that one lacks, with who lacks it", function()
    local found = compare("1: R0 join R4 1a 1b 1c R8", "2: R0 join R4 1a 1c R8")
    assert.equal(1, found.unexplained)
    assert.equal("in ring 1.4 node 2 lacks 1 message of node 1 that node 1 delivered, though "
      .. "both went on to ring 1.8; nothing known explains it "
      .. "(the first is number 2 of 3, the seq rose by 4)",
      virtual_synchrony.describe(found.losses[1]))
  end)

  it("counts messages that each lacks of the other once", function()
    local found = compare("1: R0 join R4 1a R8", "2: R0 join R4 2a R8")
    assert.same({ 1, 1, 2 }, { found.pairs, found.differing, #found.losses })
  end)

  it("does not mind the order, which others look at", function()
    assert.equal("1 0 0 0 0 0", figures("1: R0 join R4 1a 2a R8", "2: R0 join R4 2a 1a R8"))
  end)

  it("does not miss what was sent in parts, whose first may have come rings ago", function()
    local histories, sender_of = histories_of({
      "1: R0 join R4 1a 1b R8", "2: R0 join R4 1b R8",
    })
    local found = virtual_synchrony.compare(histories, sender_of, function(message)
      return message == "1a"
    end)
    assert.same({ 1, 0, 1 }, { found.pairs, found.differing, found.in_parts })
  end)

  describe("tells what is lost at a merge:", function()
    it("the first messages of a sender from another ring", function()
      assert.equal("4 2 2 0 0 0", figures(
        "1: R0 join R4 R12 3a 3b 1a 3c R16",
        "2: R0 join R4 R12 1a 3c R16",
        "3: R0 join R8 R12 3a 3b 1a 3c R16"))
    end)

    it("not messages in the middle", function()
      assert.equal("1 1 0 0 1 0", figures(
        "2: R0 join R4 R12 3a 3c R16", "3: R0 join R8 R12 3a 3b 3c R16"))
    end)

    it("not the first ones of a sender from the same ring", function()
      assert.equal("2 1 0 0 1 0", figures(
        "2: R0 join R4 R12 3b R16", "3: R0 join R4 R12 3a 3b R16"))
    end)

    it("the first ones of a sender that parted and came back in the same change", function()
      assert.equal("4 2 2 0 0 2", figures(
        "1: R0 join R4 -3 R12 3b R16", "2: R0 join R4 -3 R12 3b R16",
        "3: R0 join R4 R12 3a 3b R16"))
      assert.equal("1 1 1 0 0 1", figures(
        "1: R0 join R4 R12 3b R16", "3: R0 join R4 -1 R12 3a 3b R16"))
    end)

    it("the first ones of a sender that was not heard since, rings ago", function()
      assert.equal("2 1 1 0 0 0", figures(
        "1: R0 join R4 R12 1a R16 3b R20", "3: R0 join R8 R12 1a R16 3a 3b R20"))
      assert.equal("2 1 0 0 1 0", figures(
        "1: R0 join R4 R12 3x R16 3b R20", "3: R0 join R8 R12 3x R16 3a 3b R20"))
    end)

    it("not the first ones of a sender that joined in that ring", function()
      assert.equal("2 1 0 0 1 0", figures(
        "1: R0 join R4 R12 3a 3b R16", "2: R0 join R4 R12 3b R16", "3: R12 join 3a 3b R16"))
    end)

    it("those of a sender that was lost before it was told of the ring", function()
      assert.equal("1 1 1 0 0 0", figures(
        "1: R0 join R4 R12 3a 3b R16", "2: R0 join R8 R12 3b R16", "3: R0 join R4"))
    end)

    it("those of a sender's own life", function()
      assert.equal("4 1 0 0 1 0", figures(
        "1: R0 join R4 R12 3'a 3'b R16", "2: R0 join R4 R12 3'b R16",
        "3: R0 join R8", "3': R0 join R4 R12"))
    end)
  end)

  describe("tells what is lost by a ring that nobody was told of:", function()
    it("all from a message on, but of those that were with the member", function()
      assert.equal("1 1 0 1 0 0", figures(
        "1: R0 join R4 1a 2a 3a 1b 3b R16", "2: R0 join R4 1a 2a 2b R16", "3: join R0"))
      assert.equal("1 1 0 1 0 0", figures(
        "1: R0 join R4 1a 2a 1b R16", "2: R0 join R4 1a 2a R16", "3: join R0"))
    end)

    it("not at a step that hides no two rings", function()
      assert.equal("1 1 0 0 1 0", figures(
        "1: R0 join R4 1a 2a 1b R12", "2: R0 join R4 1a 2a R12"))
    end)

    it("not messages of a sender that it has later ones of", function()
      assert.equal("1 1 0 0 1 0", figures(
        "1: R0 join R4 1a 1b 1c R16", "2: R0 join R4 1a 1c R16"))
    end)

    it("not its own messages", function()
      assert.equal("1 1 0 0 1 0", figures(
        "1: R0 join R4 1a 2a R16", "2: R0 join R4 1a R16"))
    end)
  end)

  describe("at the end of a run", function()
    it("does not miss what was not read yet", function()
      assert.equal("1 0 0 0 0 0", figures("1: R0 join R4 1a 1b 1c end", "2: R0 join R4 1a end"))
      assert.equal("1 0 0 0 0 0", figures("1: R0 join R4 1a 1b end", "2: R0 join R4 end"))
    end)

    it("misses what lies before the last message that both have", function()
      assert.equal("1 1 0 0 1 0", figures("1: R0 join R4 1a 1b 1c end", "2: R0 join R4 1a 1c end"))
    end)
  end)
end)
