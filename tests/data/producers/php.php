<?php
// Makes php.csv with password_hash of PHP 8.2.36 (Debian's php-cli): php php.php > php.csv
$out = fopen('php://stdout', 'w');
fputcsv($out, ['username', 'password_hash'], ',', '"', '');
foreach ([
    ['anna', 'correct horse battery', PASSWORD_ARGON2ID, []],
    ['argon2i', 'correct horse battery', PASSWORD_ARGON2I, []],
    ['bcrypt', 'fiancée ① x', PASSWORD_BCRYPT, []],
    ['default', 'correct horse battery', PASSWORD_DEFAULT, ['cost' => 12]],
    ['argon2id-wide', "密码 с пробелом", PASSWORD_ARGON2ID, ['memory_cost' => 19456, 'time_cost' => 2]],
] as [$name, $password, $algorithm, $options]) {
    fputcsv($out, [$name, password_hash($password, $algorithm, $options)], ',', '"', '');
}
