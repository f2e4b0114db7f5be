-- What tools/draw-check runs: a browser is driven through the pipe of its debugging
-- protocol, so that keys are keys and what is read is what is shown.
local draw = require("corolua.draw")
local json = require("corolua.base.json")

local FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
  .. "--disable-background-networking --disable-component-update --disable-sync "
  .. "--hide-scrollbars --remote-debugging-pipe"

local folder = os.tmpname()
os.remove(folder)
assert(os.execute("mkdir -p " .. folder .. "/profile"))

---@class tools.Browser
local methods = {}
local browser_mt = { __index = methods }

local function open_browser()
  local to, from = folder .. "/to", folder .. "/from"
  assert(os.execute(("mkfifo %s %s"):format(to, from)))
  local line = ("chromium %s --user-data-dir=%s/profile about:blank 3<%s 4>%s >/dev/null 2>&1 &")
    :format(FLAGS, folder, to, from)
  assert(os.execute(line))
  local self = setmetatable({ number = 0, session = nil }, browser_mt)
  self.to, self.from = assert(io.open(to, "wb")), assert(io.open(from, "rb"))
  self.to:setvbuf("no")
  return self
end

-- Messages end with a NUL.
local function receive(self)
  local bytes = {}
  for byte in function() return self.from:read(1) end do
    if byte == "\0" then return assert(json.decode(table.concat(bytes))) end
    bytes[#bytes + 1] = byte
  end
  error("the browser has ended")
end

function methods:call(method, parameters)
  self.number = self.number + 1
  local number = self.number
  local text = json.encode({ id = number, method = method, sessionId = self.session,
    params = parameters })
  assert(self.to:write(text, "\0"))
  while true do
    local message = receive(self)
    if message.method == "Runtime.exceptionThrown" then
      local details = message.params.exceptionDetails
      error(details.exception and details.exception.description or details.text)
    end
    if message.id == number then
      if message.error then error(method .. ": " .. message.error.message) end
      return message.result
    end
  end
end

function methods:read(expression)
  local answer = self:call("Runtime.evaluate",
    { expression = expression, returnByValue = true, awaitPromise = true })
  if answer.exceptionDetails then
    error(expression .. ": " .. (answer.exceptionDetails.exception.description or "failed"))
  end
  return answer.result.value
end

-- Until what was asked for is painted.
function methods:settle()
  self:read("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    .. ".then(() => true)")
end

-- A navigation within a page, to another link of it, would not open it anew.
function methods:open(path, hash, width, height)
  self:call("Emulation.setDeviceMetricsOverride",
    { width = width or 1440, height = height or 800, deviceScaleFactor = 1, mobile = false })
  self:call("Page.navigate", { url = "about:blank" })
  self:call("Page.navigate", { url = "file://" .. path .. (hash and "#" .. hash or "") })
  self:read("new Promise(done => { const look = () => document.documentElement?.dataset.ready "
    .. "? done(true) : setTimeout(look, 5); look(); })")
  self:settle()
end

local KEYS = { Enter = { 13, "\r" }, Escape = { 27 }, Tab = { 9 }, ArrowDown = { 40 },
  ArrowUp = { 38 }, ArrowLeft = { 37 }, ArrowRight = { 39 } }

function methods:press(key)
  local known = KEYS[key] or { key:upper():byte(), key }
  self:call("Input.dispatchKeyEvent", { type = "keyDown", key = key, text = known[2],
    windowsVirtualKeyCode = known[1] })
  self:call("Input.dispatchKeyEvent", { type = "keyUp", key = key,
    windowsVirtualKeyCode = known[1] })
  self:settle()
end

function methods:type(text)
  for letter in text:gmatch(".") do self:press(letter) end
end

function methods:shown(name) return self:read(("stage.dataset[%q]"):format(name)) end

local function from_base64(text)
  local out, bits, count = {}, 0, 0
  local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  local values = {}
  for i = 1, 64 do values[letters:byte(i)] = i - 1 end
  for i = 1, #text do
    local value = values[text:byte(i)]
    if value then
      bits, count = bits << 6 | value, count + 6
      if count >= 8 then
        count = count - 8
        out[#out + 1] = string.char(bits >> count & 255)
        bits = bits & (1 << count) - 1
      end
    end
  end
  return table.concat(out)
end

local pictures = os.getenv("PICTURES")

function methods:picture(name)
  if not pictures then return end
  local shot = self:call("Page.captureScreenshot", { format = "png" })
  local file <close> = assert(io.open(pictures .. "/" .. name .. ".png", "wb"))
  assert(file:write(from_base64(shot.data)))
end

local function page_of(name, trace, options)
  local path = folder .. "/" .. name .. ".html"
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(assert(draw.html(trace, options))))
  return path
end

local failed = 0

local function check(what, expected, got)
  if expected == got then return print("ok      " .. what) end
  failed = failed + 1
  print(("FAILED  %s: expected %s, got %s"):format(what, tostring(expected), tostring(got)))
end

local function check_that(what, is_so, got) check(what, true, is_so or got or false) end

local MERGE, HIDDEN = "spec/fixtures/merge_loss.jsonl", "spec/fixtures/hidden_ring.jsonl"

local function check_merge(browser)
  local path = page_of("merge", MERGE)
  browser:open(path)
  check("a page is on the axis of time", "time", browser:shown("axis"))
  check("nothing of it comes from elsewhere", 0,
    browser:read("performance.getEntriesByType('resource').length"))
  browser:press("n")
  check("n goes to the finding", "0", browser:shown("finding"))
  local said = browser:read("element('said').textContent")
  check_that("and tells of it", said:find("never delivered 16 messages of node 3", 1, true) ~= nil,
    said)
  check("the finding is marked in the list", "true",
    browser:read("document.querySelector('.finding').getAttribute('aria-current')"))
  browser:press("o")
  check("o turns to the order", "order", browser:shown("axis"))
  browser:picture("merge-order-light-1440")
  browser:press("t")
  check("t turns dark", "dark", browser:read("document.documentElement.dataset.theme"))
  browser:picture("merge-order-dark-1440")
  browser:press("Escape")
  check("Escape leaves the finding", "-1", browser:shown("finding"))
  browser:press("0")
  check("all deliveries are drawn", "25", browser:shown("ticks"))
  browser:press("ArrowDown")
  browser:press("ArrowDown")
  browser:press("f")
  check("f shows the messages of the lane", "1", browser:shown("sender"))
  check("and no others", "3", browser:shown("ticks"))
  browser:press("f")
  browser:press("j")
  said = browser:read("element('selected').textContent")
  check_that("j chooses a message and tells of it", said:find("node 2", 1, true) ~= nil, said)
  browser:press("C")
  check("C collapses all lanes", "3", browser:shown("collapsed"))
  browser:press("C")
  check("and opens them", "0", browser:shown("collapsed"))
  browser:press("/")
  browser:type("3-6790")
  browser:press("Enter")
  check("a search finds a message", "1 of 1", browser:read("element('found').textContent"))
  said = browser:read("element('selected').textContent")
  check_that("and says who lacks it", said:find("not delivered  node 1, node 2", 1, true) ~= nil,
    said)
  browser:press("Escape")
  browser:press("?")
  check("? opens the keys", true, browser:read("element('keys').open"))
  browser:press("Escape")
  browser:open(path, "order&finding=1&dark", 1024, 700)
  browser:picture("merge-order-dark-1024")
  check("a link goes to a finding", "0", browser:shown("finding"))
  check("nothing is wider than the window", true,
    browser:read("document.documentElement.scrollWidth <= innerWidth"))
end

local function check_tab(browser)
  browser:open(page_of("merge", MERGE))
  for _ = 1, 40 do
    browser:press("Tab")
    if browser:read("document.activeElement.classList.contains('finding')") then break end
  end
  browser:press("Enter")
  check("a finding is reached by Tab, and opened by Enter", "0", browser:shown("finding"))
end

local function check_hidden(browser)
  local path = page_of("hidden", HIDDEN)
  for _, theme in ipairs({ "light", "dark" }) do
    for _, width in ipairs({ 1440, 1024 }) do
      browser:open(path, theme, width, width == 1440 and 800 or 700)
      browser:picture(("hidden-%s-%d"):format(theme, width))
    end
  end
  browser:press("n")
  check("the finding of a hidden ring is shown", "0", browser:shown("finding"))
  browser:press("o")
  browser:picture("hidden-finding-dark-1024")
  check_that("its worst paint is under 20 ms", tonumber(browser:shown("paint")) < 20,
    browser:shown("paint"))
end

local function check_payloads(browser)
  local file = folder .. "/evil.jsonl"
  local out <close> = assert(io.open(file, "wb"))
  local evil = [[</script><script>document.title='taken'</script><img src=x onerror=alert(1)>]]
  local function put(text) assert(out:write(text, "\n")) end
  put('{"k":"run","v":1,"at":"","mono":0,"boot":"b","where":"lab","script":' .. json.encode(evil)
    .. ',"seed":1,"nodes":1,"token":1,"consensus":1,"two_node":false}')
  put('{"k":"ring","t":1,"h":1,"ring":"1.1","nodes":[1]}')
  put('{"k":"join","t":2,"h":1,"n":1,"p":7,"g":' .. json.encode(evil) .. ',"packed":false}')
  put('{"k":"conf","t":3,"h":1,"members":["1/7"],"left":[],"joined":[["1/7","join"]]}')
  for i, text in ipairs({ evil, "a\u{202e}b", "a\0b", "<!--" }) do
    put(('{"k":"send","t":%d,"h":1,"m":%d,"x":"%013x","b":9,"d":%s}'):format(i * 10, i, i,
      json.encode(text)))
    put(('{"k":"recv","t":%d,"h":1,"f":"1/7","x":"%013x","b":9,"d":%s}'):format(i * 10 + 1, i,
      json.encode(text)))
  end
  put('{"k":"note","t":90,"level":"step","text":' .. json.encode(evil) .. "}")
  put('{"k":"stop","t":100,"settled":true,"dropped":0}')
  out:close()
  browser:open(page_of("evil", file))
  check("nothing of a payload runs", 2,
    browser:read("document.scripts.length"))
  check("nor does it make an image", 0, browser:read("document.images.length"))
  check("the title is as it was given", evil:match("[^/]+$"),
    browser:read("element('title').textContent"))
  browser:press("j")
  browser:picture("evil")
  local said = browser:read("element('selected').textContent")
  check_that("a payload is shown as it is", said:find("</script>", 1, true) ~= nil, said)
end

-- A run of five members that say and hear so much, with a partition in it.
local function write_large(path, events)
  local out <close> = assert(io.open(path, "wb"))
  local function put(...) assert(out:write(string.format(...), "\n")) end
  put('{"k":"run","v":1,"at":"2026-11-24T09:00:00Z","mono":0,"boot":"b","where":"lab",'
    .. '"script":"large.lua","seed":1,"nodes":5,"token":1000,"consensus":1200,"two_node":false}')
  local all = '"1/9","2/9","3/9","4/9","5/9"'
  for h = 1, 5 do
    put('{"k":"quorum","t":%d,"n":%d,"quorate":true,"ring":"1.5","nodes":[1,2,3,4,5],'
      .. '"joined":[],"left":[]}', h, h)
  end
  for h = 1, 5 do
    put('{"k":"ring","t":%d,"h":%d,"ring":"1.5","nodes":[1,2,3,4,5]}', 10 + h, h)
    put('{"k":"join","t":%d,"h":%d,"n":%d,"p":9,"g":"large","packed":false}', 10 + h, h, h)
    put('{"k":"conf","t":%d,"h":%d,"members":[%s],"left":[],"joined":[["%d/9","join"]]}', 10 + h, h,
      all, h)
  end
  local t = 100
  for i = 1, events // 6 do
    local sender = i % 5 + 1
    t = t + 37
    put('{"k":"send","t":%d,"h":%d,"m":%d,"x":"%013x","b":64}', t, sender, (i - 1) // 5 + 1, i)
    for h = 1, 5 do
      put('{"k":"recv","t":%d,"h":%d,"f":"%d/9","x":"%013x","b":64}', t + 200 + h, h, sender, i)
    end
    t = t + 206
  end
  put('{"k":"stop","t":%d,"settled":true,"dropped":0}', t + 1000)
end

local MEASURE = [[(() => {
  const took = [];
  for (const axis of ["time", "order"]) {
    setAxis(axis);
    for (let i = 0; i < 40; i++) {
      go(axisEnd() * i / 80, axisEnd() * i / 80 + axisEnd() * Math.pow(0.8, i));
      const begin = performance.now();
      paint();
      pen.getImageData(0, 0, 1, 1);
      took.push(performance.now() - begin);
    }
  }
  took.sort((a, b) => a - b);
  const worst = took[took.length - 1];
  return took[took.length >> 1].toFixed(1) + " ms, worst " + worst.toFixed(1) + " ms";
})()]]

local function measure(browser, events)
  local trace = ("%s/%d.jsonl"):format(folder, events)
  write_large(trace, events)
  local begin = os.clock()
  local path = page_of(tostring(events), trace)
  local drawn = os.clock() - begin
  browser:open(path)
  print(("%d events: written in %.1f s of CPU, ready to look at %s ms after the page was asked "
    .. "for; paint: median %s"):format(events, drawn,
      browser:read("document.documentElement.dataset.ready"), browser:read(MEASURE)))
  browser:press("0")
  browser:picture("large-" .. events)
end

local function check_all(browser)
  local target = browser:call("Target.createTarget", { url = "about:blank" })
  browser.session = browser:call("Target.attachToTarget",
    { targetId = target.targetId, flatten = true }).sessionId
  browser:call("Page.enable")
  browser:call("Runtime.enable")
  check_merge(browser)
  check_tab(browser)
  check_hidden(browser)
  check_payloads(browser)
  for events in (os.getenv("EVENTS") or "100000"):gmatch("%d+") do
    measure(browser, math.tointeger(tonumber(events)))
  end
  for number = 1, #arg do
    if arg[number]:find("%.jsonl$") then
      browser:open(page_of("given" .. number, arg[number]))
      browser:picture("given-" .. number)
      browser:press("o")
      browser:picture("given-order-" .. number)
    end
  end
end

local browser = open_browser()
local ok, why = xpcall(check_all, debug.traceback, browser)
browser.session = nil
pcall(browser.call, browser, "Browser.close")
browser.from:close()
os.execute("rm -rf " .. folder .. " 2>/dev/null || { sleep 1; rm -rf " .. folder .. "; }")
if not ok then error(why, 0) end
os.exit(failed == 0 and 0 or 1)
