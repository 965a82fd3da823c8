# $proxy_user_assertion and proxy_user_jwks: a backend that verifies with jose
# accepts what the gateway says and nothing else; how long it is said, and that
# a client cannot say it.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Store qw(within warm);
use Digest::SHA qw(sha256);
use JSON::PP ();
use Test::More;

my $data = ProxyUser::Token::DATA;
my $url = 'proxy_user_redis unix:$TEST_NGINX_REDIS_SOCKET;';

redis_start();
start_backend();

my $locations = <<'END';
proxy_user on;
proxy_set_header X-Assertion $proxy_user_assertion;
proxy_user_assertion key=DATA/ec256.pem audience=orders;
location / {
    proxy_pass $TEST_NGINX_ECHO;
}
location /bills {
    proxy_user_assertion key=DATA/rsa1.pem key=DATA/ec256b.pem alg=RS256
                         ttl=5m audience=bills issuer=https://gate.example;
    proxy_pass $TEST_NGINX_ECHO;
}
location /short {
    proxy_user_assertion key=DATA/ec256.pem ttl=2s;
    proxy_pass $TEST_NGINX_ECHO;
}
location /admin {
    proxy_user_role admin;
    proxy_pass $TEST_NGINX_ECHO;
}
location /open {
    proxy_user off;
    proxy_pass $TEST_NGINX_ECHO;
}
location /maybe {
    proxy_user optional;
    proxy_pass $TEST_NGINX_ECHO;
}
location /error {
    proxy_user_role admin;
    error_page 403 = /open;
    proxy_pass $TEST_NGINX_ECHO;
}
location = /jwks {
    proxy_user off;
    proxy_user_jwks;
}
END
$locations =~ s/DATA/$data/g;

my $nginx = start_nginx(http => $url, server => $locations);
my $jwks = "http://127.0.0.1:$nginx->{port}/jwks";

sub sent { my ($value) = $_[0]{body} =~ /^X-Assertion: (.*)\r$/m; $value }

sub assertion { sent($nginx->get(@_)) }

sub verify {
    my ($issuer, $audience, @token) = @_;

    open my $out, '-|', 'tools/node', 't/npm/verify.mjs', $jwks, $issuer,
        $audience, @token or die "node: $!\n";
    my @line = <$out>;
    close $out;
    chomp @line;
    return map { /^\{/ ? JSON::PP->new->utf8->decode($_) : $_ } @line;
}

sub claims { JSON::PP->new->utf8->decode(unb64u((split /\./, $_[0])[1])) }


# What a backend believes.

my $alice = token(claims => { roles => ['writer', 'reader'],
                              scope => 'b a', client_id => 'web',
                              preferred_username => 'Alice A' });
my $first = assertion('/', $alice);
my $bill = assertion('/bills', $alice);
my ($said) = verify('localhost', 'orders', $first);

is $said->{sub}, $nginx->get('/', $alice) && redis('ZRANGE', '{pu}:users',
    0, 0)->[0], 'the subject is the id of the user';
is $said->{name}, 'Alice A', 'the name';
is_deeply $said->{roles}, ['reader', 'writer'], 'the roles';
is_deeply $said->{scopes}, ['a', 'b'], 'the scopes';
is $said->{client}, 'web', 'the client';
is $said->{exp} - $said->{iat}, 60, 'for a minute';
cmp_ok abs(time - $said->{iat}), '<', 30, 'from now';
like $said->{jti}, qr/^[A-Za-z0-9_-]{22}$/, 'with a name of its own';
is $said->{header}{alg}, 'ES256', 'signed with ES256';
is $said->{header}{typ}, 'JWT', 'a JWT';

my ($bills) = verify('https://gate.example', 'bills', $bill);
is $bills->{header}{alg}, 'RS256', 'another location signs with RS256';
is $bills->{exp} - $bills->{iat}, 300, 'for as long as it says';
isnt $bills->{jti}, $said->{jti}, 'and says it by itself';

my $forged = token(key => 'ec256b', alg => 'ES256', kid => undef,
    claims => { iss => 'localhost', aud => 'orders', sub => $said->{sub} });
my $none = join '.', b64u('{"alg":"none"}'), (split /\./, $first)[1], '';
my $changed = tamper($first, 1, sub { $_[0] =~ s/reader/admin1/r });

is_deeply [verify('localhost', 'bills', $first)],
    ['refused: ERR_JWT_CLAIM_VALIDATION_FAILED'], 'not for another backend';
is_deeply [verify('localhost', 'orders', $changed)],
    ['refused: ERR_JWS_SIGNATURE_VERIFICATION_FAILED'], 'not changed';
like +(verify('localhost', 'orders', $none))[0], qr/^refused/, 'not unsigned';
like +(verify('localhost', 'orders', token(alg => 'ES256', kid => 'ec384',
    claims => { iss => 'localhost', aud => 'orders' })))[0],
    qr/^refused: ERR_JWKS_NO_MATCHING_KEY/, 'not by a key it does not know';


# What is published.

my $set = $nginx->get('/jwks');
my $keys = JSON::PP->new->utf8->decode($set->{body})->{keys};

is $set->{headers}{'content-type'}, 'application/jwk-set+json', 'the type';
is $set->{headers}{'cache-control'}, 'public, max-age=300', 'may be kept';
is_deeply [map { $_->{alg} } @$keys], [qw(ES256 RS256 ES256)],
    'every key in force, once';
ok !(grep { exists $_->{d} || exists $_->{p} } @$keys), 'nothing private';
is $keys->[0]{kid}, b64u(sha256(qq({"crv":"P-256","kty":"EC","x":")
    . qq($keys->[0]{x}","y":"$keys->[0]{y}"}))), 'kid is the thumbprint';
is $said->{header}{kid}, $keys->[0]{kid}, 'and that of the token';
is $bills->{header}{kid}, $keys->[1]{kid}, 'the first key signs';
is $nginx->ask('HEAD', '/jwks')->{headers}{'content-length'},
    length $set->{body}, 'HEAD tells the length';
is $nginx->ask('POST', '/jwks', body => 'x')->{status}, 405, 'POST: no';


# Only the module's own value arrives.

my $own = $nginx->ask('GET', '/', token => $alice, headers => [
    ['X-Assertion', $forged], ['x-assertion', 'two']]);
is sent($own), assertion('/', $alice), 'a client cannot say it for itself';
is scalar(() = $own->{body} =~ /X-Assertion/gi), 1, 'and it comes once';

for (['/open', 'off'], ['/maybe', 'nobody']) {
    my ($uri, $what) = @$_;
    my $answer = $nginx->get($uri, undef, 'X-Assertion', $forged);
    is $answer->{status}, 200, "$what: goes on";
    unlike $answer->{body}, qr/X-Assertion/i, "$what: nothing is said";
}

unlike $nginx->get('/error', $alice, 'X-Assertion', $forged)->{body},
    qr/X-Assertion/i, 'a refused user is not told of to who answers';
is $nginx->get('/admin', $alice)->{status}, 403, 'and refused is refused';
is $nginx->get('/', $forged)->{status}, 401, 'it is no credential itself';
like assertion('/maybe', $alice), qr/^ey/, 'optional, somebody';


# How long it is said.

my $bob = token(claims => { sub => 'bob', roles => ['reader'] });
my $id = seed_user(id => user_id(7), sub => 'bob', roles => 'a');
my $one = assertion('/', $bob);

is assertion('/', $bob), $one, 'a warm request signs nothing';
isnt assertion('/', token(claims => { sub => 'bob', jti => 'other' })), $one,
    'another credential is another assertion';
is_deeply claims($one)->{roles}, ['a', 'reader'], 'with all the roles';

change_user($id, 'grant', roles => 'b a');
ok within(5, sub { assertion('/', $bob) ne $one }), 'a change makes it anew';
is_deeply claims(assertion('/', $bob))->{roles}, ['a', 'b', 'reader'],
    'with the new roles';

my $now = time;
change_user($id, 'grant', roles => "a b=@{[ $now + 20 ]}");
ok within(5, sub { claims(assertion('/', $bob))->{exp} <= $now + 20 }),
    'not longer than a grant';

change_user($id, 'update', expires => $now + 15);
ok within(5, sub { claims(assertion('/', $bob))->{exp} <= $now + 15 }),
    'not longer than the user';

my $end = time + 12;
is claims(assertion('/', token(claims => { sub => 'carol', exp => $end })))
    ->{exp}, $end, 'not longer than the token';
is assertion('/', token(claims => { sub => 'carol', exp => time - 2 })),
    undef, 'nothing for a token that lives by leeway alone';

my $short = assertion('/short', $alice);
ok within(10, sub { assertion('/short', $alice) ne $short }),
    'one in the second half of its life is not handed out';
my $again = claims(assertion('/short', $alice));
cmp_ok $again->{exp}, '>', time, 'but one that lives';
ok !exists $again->{aud}, 'without an audience where none is written';

change_user($id, 'suspend', state => 'suspended', suspended_by => 'cli');
ok within(5, sub { $nginx->get('/', $bob)->{status} == 403 }),
    'nothing for a suspended user';


# Roll-over: the new key signs, the old one is still published.

my $old = assertion('/short', $alice);
(my $rolled = $locations) =~ s{key=\S+/ec256.pem ttl}
                              {key=$data/ec256b.pem key=$data/ec256.pem ttl};
$nginx->configure(http => $url, server => $rolled);
$nginx->reload;

my $new = assertion('/short', $alice);
my @both = verify('localhost', '', $old, $new);
isnt claims($new)->{jti}, claims($old)->{jti}, 'a new one';
is scalar(grep { ref && $_->{header}{kid} } @both), 0,
    'no audience is not every audience';
my ($kid_old, $kid_new) = map {
    JSON::PP->new->decode(unb64u((split /\./)[0]))->{kid} } $old, $new;
isnt $kid_new, $kid_old, 'by the new key';
my %published = map { $_->{kid} => 1 }
    @{ JSON::PP->new->utf8->decode($nginx->get('/jwks')->{body})->{keys} };
ok $published{$kid_old} && $published{$kid_new}, 'both are published';


# Without Redis, for every server in its own name.

ok !trouble($nginx->log), 'nothing alarming was logged';
$nginx->stop;

my $plain = start_nginx(http => <<"END", server => <<'END');
proxy_user on;
proxy_user_assertion key=$data/ec256.pem;
server {
    listen 127.0.0.1:$ENV{TEST_NGINX_FREE_PORT_1};
    server_name other.example;
    location / {
        add_header X-A \$proxy_user_assertion;
        try_files /index.html =404;
    }
    location = /jwks {
        proxy_user off;
        proxy_user_jwks;
    }
}
END
location / {
    add_header X-A $proxy_user_assertion;
    try_files /index.html =404;
}
END

my $other = bless { %$plain, port => $ENV{TEST_NGINX_FREE_PORT_1},
                    owner => 0 }, ref $plain;
is claims($plain->get('/', $alice)->{headers}{'x-a'})->{iss}, 'localhost',
    'the issuer is the name of the server';
is claims($other->get('/', $alice)->{headers}{'x-a'})->{iss},
    'other.example', 'of each its own';
is scalar @{ JSON::PP->new->decode($other->get('/jwks')->{body})->{keys} },
    1, 'and its keys';


# Ed25519, where libjwt can.

my ($ok, $text) = nginx_t(server =>
    "proxy_user_assertion key=$data/ed25519.pem alg=EdDSA;");
ok $ok || $text =~ /libjwt cannot sign EdDSA/, 'EdDSA works or says why not';


# What nginx -t says.

my $empty = write_file('empty.pem', '');
my @refused = (
    ["key=$data/nothing.pem", qr{"\S+nothing\.pem"}, 'no file'],
    ["key=$empty", qr/no unencrypted private key/, 'an empty file'],
    ["key=$data/tls-server.pem", qr/no unencrypted private key/,
     'a certificate'],
    ["key=$data/rsa1.pem", qr/ES256, which needs an EC key/, 'RSA for ES256'],
    ["key=$data/ec384.pem", qr/none for ES256/, 'P-384'],
    ["key=$data/secp256k1.pem", qr/curve/, 'another curve'],
    ["key=$data/rsa1024.pem alg=RS256", qr/2048/, 'a short RSA key'],
    ["key=$data/ec256.pem key=$data/rsa1024.pem", qr/2048/,
     'a second key is judged too'],
    ["key=$data/ec256.pem alg=none", qr/allowed are alg=ES256/, 'alg=none'],
    ["key=$data/ec256.pem alg=HS256", qr/allowed are alg=ES256/, 'HS256'],
    ["key=$data/ec256.pem ttl=0", qr/from 1s to 1h/, 'no life'],
    ["key=$data/ec256.pem ttl=2h", qr/from 1s to 1h/, 'a long life'],
    ["key=$data/ec256.pem ttl=x", qr/from 1s to 1h/, 'no time'],
    ["key=$data/ec256.pem audience=", qr/"audience="/, 'an empty audience'],
    ["key=$data/ec256.pem audience=\$host", qr/no variables/, 'a variable'],
    ["key=$data/ec256.pem x=y", qr/"x=y", allowed are key=/, 'another word'],
    ['ttl=60s', qr/no key=/, 'no key'],
);

for (@refused) {
    my ($words, $sentence, $title) = @$_;
    my ($good, $said) = nginx_t(server => "proxy_user_assertion $words;");
    ok !$good && $said =~ /"proxy_user_assertion"/ && $said =~ $sentence,
        "nginx -t: $title" or diag $said;
}

($ok, $text) = nginx_t(server => "proxy_user_assertion key=$data/ec256.pem;\n"
    . "proxy_user_assertion key=$data/ec256.pem;");
like $text, qr/is duplicate/, 'nginx -t: twice';

ok !trouble($plain->log), 'nothing alarming was logged';

done_testing();
