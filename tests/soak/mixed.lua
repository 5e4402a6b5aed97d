-- Requests as they come from browsers, proxies and scripts, with the sessions in the file COOKIES in turn. A response
-- failed if the server could not give it (500 or more), led to the sign-in, as the session had ended (300 to 399), or
-- refused a check of a user who is signed in (403).
dofile(os.getenv("WRK") .. "/report.lua")
local requests, at = {}, 0
local threads, found = {}, done
failed = 0
function setup(thread) threads[#threads + 1] = thread end
function init()
  local check = { ["X-Original-URL"] = "https://app.example.com/x", ["X-Original-Method"] = "GET" }
  local form = { ["Content-Type"] = "application/x-www-form-urlencoded" }
  for cookie in io.lines(os.getenv("COOKIES")) do
    local page = { Cookie = cookie, Accept = "text/html" }
    local asked = { Cookie = cookie, ["X-Original-URL"] = check["X-Original-URL"],
      ["X-Original-Method"] = check["X-Original-Method"] }
    requests[#requests + 1] = wrk.format("GET", "/", page)
    requests[#requests + 1] = wrk.format("GET", "/auth/nginx", asked)
    requests[#requests + 1] = wrk.format("GET", "/auth/nginx", check)
    requests[#requests + 1] = wrk.format("GET", "/whoami", { Cookie = cookie })
    requests[#requests + 1] = wrk.format("GET", "/login", { Accept = "text/html" })
    requests[#requests + 1] = wrk.format("GET", "/account", page)
    requests[#requests + 1] = wrk.format("GET", "/nowhere" .. #requests, {})
    requests[#requests + 1] = wrk.format("POST", "/login", form, "username=&password=x")
    requests[#requests + 1] = wrk.format("GET", "/healthz", {})
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
function response(status)
  if status >= 500 or status == 403 or status >= 300 and status < 400 then failed = failed + 1 end
end
function done(summary, latency)
  found(summary, latency)
  local all = 0
  for _, thread in ipairs(threads) do all = all + thread:get("failed") end
  io.write("failed ", all, "\n")
end
