# What the second request finds: which cache answered, what a log line knows
# of a refused request, and that a decision is never what is remembered.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use Test::More tests => 43;

my $nginx = start_nginx(http => <<'END', server => <<'END');
log_format who '$request_uri $status <$proxy_user_subject> '
               '<$proxy_user_decision> <$proxy_user_reason> '
               '<$proxy_user_credential> <$proxy_user_time>';
proxy_user_issuer twin {
    issuer https://twin.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    role_map reader reader;
}
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    role_map reader reader;
}
END
access_log logs/who.log who;
add_header X-Cache "<$proxy_user_cache> <$proxy_user_token_cache>" always;
add_header X-Reason $proxy_user_reason always;
add_header X-Id $proxy_user_id always;
add_header X-Time $proxy_user_time always;
location / {
    proxy_user on;
    try_files /index.html =404;
}
location /role {
    proxy_user on;
    proxy_user_role admin;
    try_files /index.html =404;
}
location /idp {
    proxy_user on;
    proxy_user_accept idp;
    try_files /index.html =404;
}
location /twin {
    proxy_user on;
    proxy_user_accept twin;
    try_files /index.html =404;
}
END

sub cache { $nginx->get(@_)->{headers}{'x-cache'} }

sub reason { $nginx->get(@_)->{headers}{'x-reason'} }

# A user and a token are missed once, each in its own cache.
my $one = token();
my $two = token(claims => { jti => 2 });
my $bob = token(claims => { sub => 'bob' });

is cache('/', $one), '<miss> <miss>', 'a new user with a new token';
is cache('/', $one), '<hit> <hit>', 'the same again';
is cache('/', $two), '<hit> <miss>', 'a new token of a known user';
is cache('/', $two), '<hit> <hit>', 'the same again';
is cache('/', $bob), '<miss> <miss>', 'another user';
is cache('/', $one), '<hit> <hit>', 'the first is still there';

# The same person is the same user; another issuer's alice is not.
my $twin = token(claims => { iss => 'https://twin.example.com' });
my %id = map { $_->[0] => $nginx->get('/', $_->[1])->{headers}{'x-id'} }
    ['one', $one], ['two', $two], ['bob', $bob], ['twin', $twin];
like $id{one}, qr/^u_[A-Za-z0-9_-]{22}$/, 'a user id';
is $id{two}, $id{one}, 'two tokens, one user';
isnt $id{bob}, $id{one}, 'two subjects, two users';
isnt $id{twin}, $id{one}, 'one subject of two issuers, two users';
isnt $id{twin}, $id{bob}, 'all of them different';

# Nothing bad is remembered as good, nothing good as bad.
my $forged = tamper($one, 2, sub { substr($_[0], 9, 1) ^= "\1"; $_[0] });
for my $time (1, 2) {
    is reason('/', $forged), 'token_signature', "forged, time $time";
    is cache('/', $forged), '<> <miss>', "forged is never a hit, time $time";
}
is reason('/', $one), 'ok', 'what it was made of is still good';

# A verdict of one location is none of another.
is reason('/', $one), 'ok', 'allowed here';
is reason('/role', $one), 'role_missing', 'and not there';
is reason('/', $one), 'ok', 'and here again';
is reason('/idp', $one), 'ok', 'its issuer is accepted';
is reason('/twin', $one), 'issuer_not_accepted', 'and here it is not';
is reason('/twin', $twin), 'ok', 'the other is';
is reason('/idp', $twin), 'issuer_not_accepted', 'and here it is not';

# Time goes on for what is cached.
my $short = token(claims => { exp => time - 28, sub => 'short' });
is reason('/', $short), 'ok', 'within the leeway';
sleep 4;
is reason('/', $short), 'token_expired', 'a cached token expires';

# What is known is known in the log phase.
$nginx->get('/role?log', $one);
$nginx->get('/role?log', undef);
$nginx->get('/role?log', 'x');
$nginx->get('/index.html?log', $bob);
select undef, undef, undef, 0.1;
my @line = grep { /log/ } split /\n/, read_file("$nginx->{root}/logs/who.log");
like $line[0], qr/ 403 <alice> <deny> <role_missing> <bearer> <\d+\.\d{6}>$/,
    'a refused user is named in a log';
like $line[1], qr/ 401 <> <deny> <no_credential> <> <\d+\.\d{6}>$/,
    'nobody is nobody';
like $line[2], qr/ 401 <> <deny> <token_malformed> <.*> <\d+\.\d{6}>$/,
    'a bad token is nobody';
like $line[3], qr/ 200 <bob> <allow> <ok> <bearer> <\d+\.\d{6}>$/,
    'an allowed user is named';

# After a reload: the key and the settings must still be in force.
ok $nginx->reload, 'reload';
is cache('/', $one), '<hit> <hit>', 'the zone outlives a reload';
is $nginx->get('/', $one)->{headers}{'x-id'}, $id{one}, 'with its users';

# Times of a decision are small and never negative.
my ($cold) = $nginx->get('/', token(claims => { sub => 'new' }))
    ->{headers}{'x-time'};
like $cold, qr/^\d\.\d{6}$/, 'seconds with microseconds';
ok $cold < 0.5, 'and few of them';

# A stranger's claim of the wrong kind does not stick to the next request.
my $c = $nginx->connect;
for ([$one, 'ok', $id{one}], [undef, 'no_credential', ''],
     [$bob, 'ok', $id{bob}], ['x', 'token_malformed', '']) {
    my ($token, $reason, $id) = @$_;
    $c->ask('GET', '/', token => $token);
    my $answer = $c->answer;
    is $answer->{headers}{'x-reason'}, $reason, "$reason on one connection";
    is $answer->{headers}{'x-id'} // '', $id, 'with its own user or none';
}

# One wave of new users at once: one user each, whoever comes first.
my @wave = parallel(8, sub {
    $nginx->get('/', token(claims => { sub => 'wave' }))->{headers}{'x-id'}
});
is scalar(keys %{{ map { $_ => 1 } @wave }}), 1,
    'eight first requests of one subject make one user';
