-- Asks vestibule about each request before it goes on to an app. For HAProxy 2.6 or newer.
--
-- The action lets a request through by setting txn.vestibule_passed, and only if the check said so and named a user. Any
-- other answer is sent to the client as it is: a redirect to the sign-in page, or a refusal. If anything fails here, the
-- variable is not set, and the configuration denies the request.

-- The values of a field, which HAProxy counts from 0.
local function values(fields, name)
    local all = {}
    local found = fields[name]
    local at = 0
    while found and found[at] ~= nil do
        all[at + 1] = found[at]
        at = at + 1
    end
    return all
end

local function question(txn)
    local asked = txn.http:req_get_headers()
    local fields = {}
    for _, name in ipairs(passed_on) do
        local all = values(asked, name)
        if #all > 0 then
            fields[name] = all
        end
    end
    fields["x-forwarded-for"] = { txn.f:src() }
    fields["x-forwarded-proto"] = { "https" }
    fields["x-forwarded-host"] = values(asked, "host")
    fields["x-forwarded-method"] = { txn.f:method() }
    fields["x-forwarded-uri"] = { txn.f:pathq() }
    return fields
end

-- Tells the app who the user is. Whether the check named each field once.
local function tell(txn, fields, names)
    for name in names:gmatch("[^,]+") do
        local all = values(fields, name:lower())
        if #all ~= 1 then
            return false
        end
        txn.http:req_set_header(name, all[1])
    end
    return true
end

-- Keeps the session cookie from the app: the check answers with all others.
local function filter_cookies(txn, fields)
    local all = values(fields, "cookie")
    if #all == 1 and all[1] ~= "" then
        txn.http:req_set_header("cookie", all[1])
    else
        txn.http:req_del_header("cookie")
    end
end

local function refuse(txn, answer)
    local reply = txn:reply({ status = answer.status })
    for name, _ in pairs(answer.headers) do
        if not dropped[name] then
            for _, value in ipairs(values(answer.headers, name)) do
                reply:add_header(name, value)
            end
        end
    end
    if txn.f:method() ~= "HEAD" then
        reply:set_body(answer.body)
    end
    txn:done(reply)
end

-- Where vestibule did not answer. HAProxy's client comes back with a page of its own then.
local function excuse(txn)
    local reply = txn:reply({ status = 503 })
    reply:add_header("retry-after", "5")
    reply:add_header("cache-control", "no-store")
    if txn.f:method() ~= "HEAD" then
        reply:add_header("content-type", "text/plain")
        reply:set_body("The sign-in does not answer. Please try again in a moment.\n")
    end
    txn:done(reply)
end

core.register_action("vestibule_check", { "http-req" }, function(txn, path, place, names)
    local url = "http://127.0.0.1" .. path
    local answer = core.httpclient():get({ url = url, headers = question(txn), dst = place, timeout = 10000 })
    if answer.status >= 200 and answer.status < 300 then
        if path:find("cookies=filtered", 1, true) then
            filter_cookies(txn, answer.headers)
        end
        txn:set_var("txn.vestibule_passed", tell(txn, answer.headers, names))
    elseif answer.status > 500 and answer.headers["retry-after"] == nil then
        excuse(txn)
    else
        refuse(txn, answer)
    end
end, 3)

-- A path as an app would understand it: decoded, without dots and doubled slashes, and in lower case.
core.register_converters("vestibule_path", function(path)
    local plain = path:gsub("%%(%x%x)", function(code) return string.char(tonumber(code, 16)) end):lower()
    local parts = {}
    -- Some servers take a backslash for a slash, and leave out what follows a semicolon in a segment.
    plain = plain:gsub("\\", "/"):gsub(";[^/]*", "")
    for part in plain:gmatch("[^/]+") do
        if part == ".." then
            parts[#parts] = nil
        elseif part ~= "." then
            parts[#parts + 1] = part
        end
    end
    return "/" .. table.concat(parts, "/") .. (plain:match("/%.*$") and #parts > 0 and "/" or "")
end)
