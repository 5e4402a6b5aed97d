-- GET / with the cookies in the file COOKIES in turn; with CHECK, that path with what nginx adds.
dofile(os.getenv("WRK") .. "/report.lua")
local requests, at = {}, 0
local path, more = "/", {}
if os.getenv("CHECK") then
  path = os.getenv("CHECK")
  more = { ["X-Original-URL"] = "https://app.example.com/reports/2026?page=2", ["X-Original-Method"] = "GET" }
end
local function of(cookie)
  local headers = { Host = "127.0.0.1", Cookie = cookie }
  for name, value in pairs(more) do headers[name] = value end
  return wrk.format("GET", path, headers)
end
function init()
  for cookie in io.lines(os.getenv("COOKIES")) do requests[#requests + 1] = of(cookie) end
  if #requests == 0 then requests[1] = of(nil) end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
