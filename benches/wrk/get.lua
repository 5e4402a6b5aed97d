-- GET /, with the cookies in the file COOKIES in turn.
dofile(os.getenv("WRK") .. "/report.lua")
local requests, at = {}, 0
function init()
  for cookie in io.lines(os.getenv("COOKIES")) do
    requests[#requests + 1] = wrk.format("GET", "/", { Host = "127.0.0.1", Cookie = cookie })
  end
  if #requests == 0 then requests[1] = wrk.format("GET", "/", { Host = "127.0.0.1" }) end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
