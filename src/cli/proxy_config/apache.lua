-- Asks vestibule about each request before it goes on to an app. For Apache httpd 2.4 with mod_lua, and LuaSocket.
--
-- A request goes on only if the check said so and named a user. Any other answer is sent to the client as it is: a
-- redirect to the sign-in page, or a refusal. If anything fails here, httpd answers with an error.

local socket = require("socket")

-- The head of a check.
local function question(r, url)
    local lines = { "GET " .. url .. " HTTP/1.0", "Host: vestibule" }
    local function add(name, value)
        -- httpd takes no line breaks in a field. Were there one, the check would not be the one that is meant.
        assert(not value:find("[^\t\32-\126\128-\255]"), "a control character in a field")
        lines[#lines + 1] = name .. ": " .. value
    end
    for _, name in ipairs(passed_on) do
        local value = r.headers_in[name]
        if value then
            add(name, value)
        end
    end
    add("X-Forwarded-For", r.useragent_ip)
    add("X-Forwarded-Proto", "https")
    add("X-Forwarded-Host", r.headers_in["Host"] or "")
    add("X-Forwarded-Method", r.method)
    add("X-Forwarded-Uri", r.unparsed_uri)
    return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

-- The value of a field that occurs once.
local function only(fields, name)
    local found, count = nil, 0
    for _, field in ipairs(fields) do
        if field.name:lower() == name:lower() then
            found, count = field.value, count + 1
        end
    end
    return count == 1 and found or nil
end

-- The status, the fields in their order, and the body of the answer to a check.
local function ask(r)
    local env = r.subprocess_env
    local connection = assert(socket.connect(env["VESTIBULE_HOST"], tonumber(env["VESTIBULE_PORT"])))
    connection:settimeout(10)
    assert(connection:send(question(r, env["VESTIBULE_CHECK"])))
    local line = assert(connection:receive("*l"))
    local status = tonumber(line:match("^HTTP/1%.%d (%d%d%d)"))
    local fields = {}
    line = assert(connection:receive("*l"))
    while line ~= "" do
        local name, value = line:match("^([^:%s]+):%s*(.-)%s*$")
        fields[#fields + 1] = { name = name, value = value }
        line = assert(connection:receive("*l"))
    end
    local length = tonumber(only(fields, "Content-Length"))
    local body = length > 0 and assert(connection:receive(length)) or ""
    connection:close()
    return status, fields, body
end

-- Tells the app who the user is.
local function tell(r, fields)
    for name in r.subprocess_env["VESTIBULE_NAMES"]:gmatch("[^,]+") do
        r.headers_in[name] = assert(only(fields, name), "the check named no " .. name)
    end
    r.headers_in["Cookie"] = assert(only(fields, "Cookie"), "the check filtered no cookies")
    -- A client could have headers dropped by naming them here.
    local connection = (r.headers_in["Connection"] or ""):lower()
    local upgrades = (r.headers_in["Upgrade"] or ""):lower() == "websocket"
    r.headers_in["Upgrade"] = upgrades and "websocket" or nil
    r.headers_in["Connection"] = upgrades and "upgrade" or connection:find("close") and "close" or "keep-alive"
end

-- Whether a certificate authority asks for the answer to its challenge, and no app would get the request.
local function is_challenge(r)
    local folder = "/.well-known/acme-challenge/"
    return r.uri:sub(1, #folder) == folder and r.filename:sub(1, 6) ~= "proxy:"
end

function check(r)
    if is_challenge(r) then
        return apache2.DECLINED
    end
    local answered, status, fields, body = pcall(ask, r)
    if not answered then
        r:err("vestibule gave no answer to a check: " .. tostring(status))
        r.err_headers_out["Retry-After"] = "5"
        return 503
    end
    if status >= 200 and status < 300 then
        tell(r, fields)
        return apache2.DECLINED
    end
    for _, field in ipairs(fields) do
        local name = field.name:lower()
        if name == "content-type" then
            r.content_type = field.value
        elseif not dropped[name] then
            r.err_headers_out[field.name] = field.value
        end
    end
    r.status = status
    r:puts(body)
    return apache2.DONE
end
