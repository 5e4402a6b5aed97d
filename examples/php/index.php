<?php
// For `php -S 127.0.0.1:3000 index.php`, or behind a proxy that speaks FastCGI or HTTP.

/** Who is signed in, or null. It answers 503 and ends the request if the sign-in does not answer. */
function who_is_there(): ?array
{
    $auth = getenv('AUTH') ?: 'http://127.0.0.1:8080'; // vestibule, as this app reaches it
    $header = 'Cookie: ' . str_replace(["\r", "\n"], '', $_SERVER['HTTP_COOKIE'] ?? '');
    $options = ['http' => ['header' => $header, 'ignore_errors' => true, 'timeout' => 5]];
    $body = @file_get_contents("$auth/session", false, stream_context_create($options));
    $status = (int) (explode(' ', $http_response_header[0] ?? '')[1] ?? 0);
    if ($status !== 200 && $status !== 401) {
        error_log("$auth/session does not say who is signed in: " . ($status ?: error_get_last()['message'] ?? ''));
        http_response_code(503);
        header('Retry-After: 1');
        exit('The sign-in is out of order');
    }
    foreach ($http_response_header as $line) {
        if (stripos($line, 'Set-Cookie:') === 0) {
            header($line, false);
        }
    }
    return json_decode($body, true)['user'] ?? null;
}

header('Content-Type: text/plain');
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path === '/') {
    echo 'Hello ', who_is_there()['username'] ?? 'stranger';
} elseif ($path === '/api/me') {
    $user = who_is_there();
    http_response_code($user ? 200 : 401);
    header('Content-Type: application/json');
    echo json_encode($user ? ['name' => $user['username']] : ['error' => 'not signed in']);
} elseif ($path === '/private') {
    echo 'Hello ', rawurldecode($_SERVER['HTTP_REMOTE_NAME']);
} elseif ($path === '/admin' && in_array('admin', explode(',', $_SERVER['HTTP_REMOTE_GROUPS'] ?? ''), true)) {
    echo 'Hello administrator ', rawurldecode($_SERVER['HTTP_REMOTE_NAME']);
} else {
    http_response_code($path === '/admin' ? 403 : 404);
}
