require "json"
require "net/http"

AUTH = URI(ENV.fetch("AUTH", "http://127.0.0.1:8080") + "/session") # vestibule, as this app reaches it

class OutOfOrder < StandardError; end

# Who is signed in, or nil, with the cookies to pass on.
def who_is_there(env)
  # nil: no proxy of http_proxy, which would be sent the cookies of visitors.
  answer = Net::HTTP.start(AUTH.host, AUTH.port, nil, open_timeout: 5, read_timeout: 5) do |http|
    http.get(AUTH.path, { "Cookie" => env.fetch("HTTP_COOKIE", "") })
  end
  raise OutOfOrder, "it answered #{answer.code}" unless %w[200 401].include?(answer.code)
  [JSON.parse(answer.body)["user"], answer.get_fields("set-cookie") || []]
rescue SystemCallError, IOError, Timeout::Error, JSON::ParserError => error
  raise OutOfOrder, error.message
end

def text(status, body, cookies = [], type: "text/plain")
  headers = { "content-type" => type }
  headers["set-cookie"] = cookies.join("\n") unless cookies.empty?
  [status, headers, [body]]
end

run(lambda do |env|
  case env["PATH_INFO"]
  when "/"
    user, cookies = who_is_there(env)
    text(200, "Hello #{user ? user["username"] : "stranger"}", cookies)
  when "/api/me"
    user, cookies = who_is_there(env)
    data = user ? { name: user["username"] } : { error: "not signed in" }
    text(user ? 200 : 401, data.to_json, cookies, type: "application/json")
  when "/private" then text(200, "Hello #{URI.decode_www_form_component(env["HTTP_REMOTE_NAME"])}")
  when "/admin"
    is_admin = env["HTTP_REMOTE_GROUPS"].to_s.split(",").include?("admin")
    is_admin ? text(200, "Hello administrator #{URI.decode_www_form_component(env["HTTP_REMOTE_NAME"])}") : text(403, "Forbidden")
  else text(404, "Not found")
  end
rescue OutOfOrder => error
  warn "#{AUTH} does not say who is signed in: #{error.message}"
  [503, { "content-type" => "text/plain", "retry-after" => "1" }, ["The sign-in is out of order"]]
end)
