-- POST /login, as bench0, bench1 and so on in turn, USERS of them.
dofile(os.getenv("WRK") .. "/report.lua")
local users, threads = tonumber(os.getenv("USERS")), 0
function setup(thread)
  thread:set("at", threads * 7)
  threads = threads + 1
end
function request()
  at = (at + 1) % users
  local form = "username=bench" .. at .. "&password=correct+horse"
  return wrk.format("POST", "/login",
    { Host = "127.0.0.1", ["Content-Type"] = "application/x-www-form-urlencoded" }, form)
end
