-- POST /signup with a new name each time; RUN tells this run from others.
dofile(os.getenv("WRK") .. "/report.lua")
local run, count, threads = os.getenv("RUN"), 0, 0
function setup(thread)
  thread:set("id", threads)
  threads = threads + 1
end
function request()
  count = count + 1
  local form = "username=new" .. run .. "x" .. id .. "x" .. count .. "&password=correct+horse"
  return wrk.format("POST", "/signup",
    { Host = "127.0.0.1", ["Content-Type"] = "application/x-www-form-urlencoded" }, form)
end
