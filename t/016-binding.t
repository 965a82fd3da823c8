# Tokens that are bound: to the client certificate of the connection (RFC
# 8705), to the key of a DPoP proof (RFC 9449). Without it they are nothing,
# whatever the configuration and however often they were good before.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use Test::More;

use Crypt::PK::ECC;
use Digest::SHA qw(sha256);
use File::Spec;
use JSON::PP ();
use MIME::Base64 qw(decode_base64);

my $json = JSON::PP->new->canonical->utf8;
my $data = File::Spec->rel2abs('t/data');
my $redis = redis_start();
my $tls = free_port();


# The key of a client, made for this test, and its thumbprint (RFC 7638).
sub client_key {
    my $pk = Crypt::PK::ECC->new;
    $pk->generate_key('secp256r1');
    my $jwk = $json->decode($pk->export_key_jwk('public'));
    $jwk = { map { $_ => $jwk->{$_} } qw(kty crv x y) };
    return { pk => $pk, jwk => $jwk,
             jkt => b64u(sha256($json->encode($jwk))) };
}

my ($key, $other) = (client_key(), client_key());
my $n = 0;

# A proof for a token. "header" and "claims" change it, undef takes away.
sub proof {
    my ($token, %opt) = @_;

    my $by = $opt{key} // $key;
    my %header = (typ => 'dpop+jwt', alg => 'ES256', jwk => $by->{jwk},
                  %{ $opt{header} || {} });
    my %claim = (jti => 'p' . ++$n . rand, htm => 'GET',
                 htu => 'http://localhost/t', iat => time(),
                 ath => b64u(sha256($token)), %{ $opt{claims} || {} });

    delete $header{$_} for grep { !defined $header{$_} } keys %header;
    delete $claim{$_} for grep { !defined $claim{$_} } keys %claim;

    my $text = b64u($json->encode(\%header)) . '.'
        . b64u($json->encode(\%claim));
    my $sign = $opt{sign} // $by;
    return "$text." . b64u($sign->{pk}->sign_message_rfc7518($text,
                                                            'SHA256'));
}

my $bound = token(claims => { cnf => { jkt => $key->{jkt} } });
my $plain = token();

sub dpop {
    my ($token, $proof) = @_;
    return { Authorization => "DPoP $token",
             defined $proof ? (DPoP => $proof) : () };
}

my $INVALID_PROOF = 'WWW-Authenticate: DPoP realm="localhost", '
    . 'error="invalid_dpop_proof", error_description="the token lacks its '
    . 'proof of possession", algs="RS256 RS384 RS512 PS256 PS384 PS512 ES256 '
    . 'ES384 ES512 EdDSA"';
my $INVALID_TOKEN = $INVALID_PROOF =~ s/invalid_dpop_proof/invalid_token/r;

sub refused {
    my ($title, $credential, @more) = @_;
    return [$title, 'GET /t', $credential, 401, 'token_binding', @more];
}

sub good { [$_[0], $_[2] // 'GET /t', $_[1], 200, 'ok'] }

sub claims { dpop($bound, proof($bound, claims => { @_ })) }

sub header { dpop($bound, proof($bound, header => { @_ })) }


my $server = <<"END";
listen 127.0.0.1:$tls ssl;
ssl_certificate $data/tls-server.pem;
ssl_certificate_key $data/tls-server.key;
ssl_verify_client optional_no_ca;
add_header X-Reason \$proxy_user_reason always;
add_header X-Token-Cache \$proxy_user_token_cache always;
proxy_user on;
location / { proxy_pass \$TEST_NGINX_BACKEND; }
location /optional { proxy_user optional; proxy_pass \$TEST_NGINX_BACKEND; }
location /header {
    proxy_user_credential bearer header=X-Token;
    proxy_pass \$TEST_NGINX_BACKEND;
}
location /again { error_page 403 = /t2; proxy_user_role admin;
                  proxy_pass \$TEST_NGINX_BACKEND; }
END

my $http = 'proxy_user_redis unix:$TEST_NGINX_REDIS_SOCKET timeout=1s;';
my $nginx = start_nginx(http => $http, server => $server, workers => 2);
$nginx->get('/t', $plain) for 1 .. 4;

check_cases($nginx, 'dpop',
    good('a proof', dpop($bound, proof($bound))),
    good('another, on a token that is known', dpop($bound, proof($bound))),
    good('the scheme in small letters', {
        Authorization => "dpop $bound", DPoP => proof($bound) }),
    good('a query is not compared', claims(htu => 'http://localhost/t?a#b'),
         'GET /t?x=1'),
    good('an escape that is none', claims(htu => 'HTTP://LOCALHOST:80/%74')),
    good('another method', claims(htm => 'DELETE'), 'DELETE /t'),
    good('a proof half a minute old', claims(iat => time() - 30)),
    good('a kid in it', header(kid => 'mine')),
    refused('B3: no proof', dpop($bound), $INVALID_PROOF),
    refused('C11: as Bearer', $bound, $INVALID_TOKEN),
    refused('C11: as Bearer with a proof', { Authorization => "Bearer $bound",
            DPoP => proof($bound) }, $INVALID_TOKEN),
    refused('C11: a token that is not bound', dpop($plain, proof($plain)),
            $INVALID_TOKEN),
    refused('C11: the same without a proof', dpop($plain), $INVALID_TOKEN),
    refused('B11: the key of another', dpop($bound, proof($bound,
            key => $other)), $INVALID_TOKEN),
    refused('B4: signed by another', dpop($bound, proof($bound,
            sign => $other)), $INVALID_PROOF),
    refused('B10: for another token', dpop($bound, proof($plain)),
            $INVALID_PROOF),
    refused('B4: no token', dpop($bound, 'x'), $INVALID_PROOF),
    refused('B4: an empty one', dpop($bound, ''), $INVALID_PROOF),
    refused('B4: two in one', dpop($bound, proof($bound) . ','
            . proof($bound))),
    refused('C11: where a token may be left out', $bound),
    (map { refused("B6: no $_", claims($_ => undef)) }
        qw(jti htm htu iat ath)),
    (map { refused("B8: htu $_", claims(htu => $_)) }
        'http://localhost/T', 'http://localhost/t/', 'http://localhost/',
        'https://localhost/t', 'http://evil.example/t',
        'http://localhost:1/t', 'http://localhost@evil/t', '/t', 'localhost'),
    refused('B7: htm of another method', claims(htm => 'POST')),
    refused('B7: htm in small letters', claims(htm => 'get')),
    refused('B9: too old', claims(iat => time() - 90)),
    refused('B9: from the future', claims(iat => time() + 60)),
    refused('B6: a time as text', claims(iat => '' . time())),
    (map { refused("B4: typ $_", header(typ => $_)) } 'JWT', 'at+jwt', 'DPoP'),
    refused('B4: no typ', header(typ => undef)),
    refused('B5: no jwk', header(jwk => undef)),
    refused('B5: a private jwk', header(jwk => $json->decode(
            $key->{pk}->export_key_jwk('private')))),
    refused('B4: alg none', header(alg => 'none')),
    refused('B4: alg HS256', header(alg => 'HS256')),
    refused('B4: crit', header(crit => ['x'])),
    refused('B5: a jwk that would end the process', header(jwk => {
            kty => 'EC', crv => 'P-256', x => 'A===', y => 'A===' })));

# A host that is not this server's own proves nothing.

for my $host ('evil.example', 'localhost.evil.example', 'xlocalhost') {
    check_cases($nginx, 'host', refused("B8: $host", { Host => $host,
        %{ claims(htu => "http://$host/t") } }));
}

check_cases($nginx, 'host',
    good('the address itself', { Host => "127.0.0.1:$nginx->{port}",
         %{ claims(htu => "http://127.0.0.1:$nginx->{port}/t") } }),
    good('the port nginx listens on',
         claims(htu => "http://localhost:$nginx->{port}/t")),
    good('the port the client names', { Host => 'localhost:8080',
         %{ claims(htu => 'http://localhost:8080/t') } }));

my $two = $nginx->ask('GET', '/t', headers => [
    [Authorization => "DPoP $bound"], [DPoP => proof($bound)],
    [DPoP => proof($bound)] ]);
is $two->{status}, 400, 'B3, C2: two proofs';
is $two->{headers}{'x-reason'}, 'credential_ambiguous', 'are one too many';

check_cases($nginx, 'elsewhere',
    ['in a header, with its proof', 'GET /header', { 'X-Token' => $bound,
     DPoP => proof($bound, claims => { htu => 'http://localhost/header' }) },
     200, 'ok'],
    ['in a header, without', 'GET /header', { 'X-Token' => $bound }, 401,
     'token_binding'],
    ['optional', 'GET /optional', $bound, 401, 'token_binding']);


# Once and no more, on either worker, and through a redirect.

my $once = proof($bound);
check_cases($nginx, 'once', good('the first', dpop($bound, $once)),
            map { refused("B12: again $_", dpop($bound, $once), $INVALID_PROOF) }
            1 .. 6);

check_cases($nginx, 'redirect', ['one proof for two locations', 'GET /again',
    dpop($bound, proof($bound, claims => {
        htu => 'http://localhost/again' })), 200, 'ok']);

my $same = proof($bound);
my @at_once = parallel(8, sub {
    return $nginx->ask('GET', '/t', headers => [
        [Authorization => "DPoP $bound"], [DPoP => $same] ])->{status};
});
is scalar(grep { $_ eq 200 } @at_once), 1, 'B12: one of eight at once';

my ($seen) = grep { /jti:/ } @{ redis('KEYS', '*jti*') };
like $seen, qr/^\{pu\}:jti:[\w-]{43}$/, 'Redis has a digest';
cmp_ok redis('TTL', $seen), '<=', 90, 'for a short time';
cmp_ok redis('TTL', $seen), '>', 60, 'which is long enough';


# Redis does not answer: then nobody knows whether it was seen.

$redis->stop;
check_cases($nginx, 'redis is gone', ['B12: a proof', 'GET /t',
    dpop($bound, proof($bound)), 503, 'store_unavailable']);
redis_start(socket => $redis->{socket});


# The certificate of the connection.

my $pem = read_file("$data/tls-client.pem");
my ($base64) = $pem =~ /BEGIN CERT[^\n]*\n(.*?)-----END/s;
my $digest = b64u(sha256(decode_base64($base64)));

sub cert_token {
    my (%cnf) = @_;
    return token(claims => { cnf => \%cnf });
}

sub over_tls {
    my ($token, $certificate, @more) = @_;

    my @arg = $certificate ? ('--cert', "$data/$certificate.pem", '--key',
                              "$data/$certificate.key") : ();
    open my $out, '-|', 'curl', '-sk', '-o', '/dev/null', '-D', '-',
        '--max-time', 20, @arg, '-H', "Authorization: Bearer $token", @more,
        "https://localhost:$tls/t" or die "curl: $!\n";
    local $/;
    my $head = <$out> // '';
    my ($status) = $head =~ m{^HTTP/\S+ (\d+)};
    my ($reason) = $head =~ /^X-Reason: (\S+)/mi;
    return ($status // 'none') . ' ' . ($reason // '');
}

$nginx->stop;
$nginx = start_nginx(server => $server, workers => 2);

my $by_cert = cert_token('x5t#S256' => $digest);
for my $time ('cold', 'cached') {
    is over_tls($by_cert, 'tls-client'), '200 ok', "$time: its certificate";
    is over_tls($by_cert), '401 token_binding', "B1: $time: none";
    is over_tls($by_cert, 'tls-server'), '401 token_binding',
        "B1: $time: another";
    is over_tls($by_cert, undef, '-H', "X-SSL-Cert: $base64" =~ s/\n//gr),
        '401 token_binding', "B1: $time: in a header";
    check_cases($nginx, $time, refused('B1: without TLS', $by_cert,
        'WWW-Authenticate: Bearer realm="localhost", error="invalid_token", '
        . 'error_description="the token lacks its proof of possession"'));
    is over_tls($plain, 'tls-client'), '200 ok', "$time: bound to none";
}

my $x5t = cert_token(x5t => $digest);
is over_tls($x5t, 'tls-client'), '401 token_binding', 'B2: x5t is no binding';
is over_tls(cert_token(kid => 'x'), 'tls-client'), '401 token_binding',
    'B2: nor is a kid';
is over_tls(cert_token('x5t#S256' => $digest, jkt => $key->{jkt}),
            'tls-client'), '401 token_binding', 'B2: both are two';

my $both = cert_token('x5t#S256' => $digest, jkt => $key->{jkt});
is over_tls('x', 'tls-client', '-H', "Authorization: DPoP $both", '-H',
            'DPoP: ' . proof($both, claims => {
                htu => "https://localhost:$tls/t" })),
    '400 ', 'curl adds a header and nginx refuses it';

for (['DPoP: ' . proof($both, claims => {
          htu => "https://localhost:$tls/t" }), 'ok'],
     ['DPoP: ' . proof($both, claims => {
          htu => "http://localhost:$tls/t" }), 'token_binding']) {
    open my $out, '-|', 'curl', '-sk', '-o', '/dev/null', '-D', '-',
        '--max-time', 20, '--cert', "$data/tls-client.pem", '--key',
        "$data/tls-client.key", '-H', "Authorization: DPoP $both", '-H',
        $_->[0], "https://localhost:$tls/t" or die "curl: $!\n";
    local $/;
    my $head = <$out>;
    my ($reason) = $head =~ /^X-Reason: (\S+)/mi;
    is $reason, $_->[1], 'certificate and proof';
}


# Without Redis the shared memory remembers proofs.

$once = proof($bound);
check_cases($nginx, 'no redis', good('the first', dpop($bound, $once)),
            map { refused("again $_", dpop($bound, $once)) } 1 .. 4);

ok !trouble($nginx->log), 'nothing alarming was logged';
ok index($nginx->log, substr $once, -40) == -1, 'nor any proof';

done_testing;
