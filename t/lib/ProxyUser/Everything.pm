package ProxyUser::Everything;

# An nginx that uses all of the module at once, and requests of every kind to
# it whose right answer is known: let in, refused, limited, made up, about
# users, from a directory, from a provider.
#
#   my $nginx = everything();         Redis, a provider and nginx; users in it
#   my $mix = mix($nginx, requests => 5000, clients => 2);
#       { sent, left, kinds => { name => how often }, wrong => { "name: answer"
#       => how often } }              left: cut off by the client itself
#   my $mix = begin_mix($nginx, ...); ...; end_mix($mix)       meanwhile
#   revoked($n)                       takes access from some users by the log,
#                                     returns who still had it seconds later
#   waiting($nginx)                   requests that wait for Redis, frozen now:
#                                     [ name, pattern of answer, connection ]
#   well($nginx)                      Redis is back for all workers
#   $nginx->{redis}                   the Redis
#   streams($nginx, $n)               open responses whose user is suspended,
#                                     returns how many did not end
#   footprint($nginx)                 { master, worker, zone } in KiB, { files }
#                                     of each, once they do not change any more
#
# A client sends a block of requests at once on a connection that it keeps,
# and now and then goes away without reading an answer.

use strict;
use warnings;

use Digest::SHA qw(sha256 sha256_hex);
use Exporter qw(import);
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(sleep time);

use ProxyUser::Encrypt;
use ProxyUser::Events qw(event logout events_location);
use ProxyUser::Issuer;
use ProxyUser::Nginx;
use ProxyUser::Redis;
use ProxyUser::Stream qw(stream_on ended);
use ProxyUser::Token;

our @EXPORT = qw(
    everything mix begin_mix end_mix revoked streams footprint
    waiting well
);

my $BLOCK = 16;                 # requests before answers are read
my $LEAVE = 50;                 # of so many blocks one is not waited for
my $USERS = 200;                # whom nginx knows
my $DATA = ProxyUser::Token::DATA;
my $SCIM = 'a-token-of-a-directory';

my $json = JSON::PP->new->utf8->canonical;
my ($idp, $redis, @scim_user, %user, @kinds);
my ($owner, $serial) = ($$, 0);
my @child;


sub everything {
    my (%opt) = @_;

    $redis = redis_start();
    $idp = provider();
    users();

    my $nginx = start_nginx(workers => 2, log_level => 'notice', %opt,
                            http => http(), server => server());
    warm_up($nginx);
    directory($nginx);
    $nginx->{redis} = $redis;
    return $nginx;
}


# The configuration.

sub provider {
    my $idp = fake_issuer();

    $idp->discovers(jwks(map { jwk($_) } qw(rsa1 ec256 ed25519)));
    $idp->on('/ask', body => $json->encode({ active => JSON::PP::true,
        aud => 'api', sub => 'known-1', exp => 4102444800,
        iss => $idp->{url}, roles => ['reader'] }));
    return $idp;
}


sub http {
    my $client = write_file('client-secret', 'secret');
    my $shared = write_file('shared-secret', secret_key());
    my $rsa = write_file('enc.key', encryption_jwk('rsa'));
    my $timeout = patience(4) . 's';

    return <<"END";
keepalive_requests 1000000000;
set_real_ip_from 127.0.0.1;
real_ip_header X-Real-IP;
proxy_user_zone 4m;
proxy_user_redis unix:\$TEST_NGINX_REDIS_SOCKET timeout=$timeout;
proxy_user_audit /dev/null buffer=64k flush=1s;
proxy_user_policy_report \$TEST_NGINX_TMP/policy;
proxy_user_issuer idp {
    issuer $idp->{url};
    audience api;
    introspection $idp->{url}/ask client_id=gate client_secret_file=$client;
    role_map reader reader;
    role_map writer writer;
    role_map ops ops;
    role_map slow slow;
    role_map few few;
}
proxy_user_issuer file {
    issuer @{[ issuer_url() ]};
    audience api;
    jwks_file \$TEST_NGINX_KEYS/jwks.json;
    default_role reader;
}
proxy_user_issuer shared {
    issuer https://shared.example.com;
    audience api;
    algorithms HS256;
    secret_file $shared;
    default_role reader;
}
proxy_user_issuer enc {
    issuer https://enc.example.com;
    audience api;
    jwks_file \$TEST_NGINX_KEYS/jwks.json;
    decryption_key_file $rsa;
    default_role reader;
}
proxy_user_profile reader {
    methods GET;
    rate 1000000r/s burst=1000000;
    quota 1000000000 per month;
    concurrency 10000;
}
proxy_user_profile writer { inherit reader; methods GET POST; max_grant 1h; }
proxy_user_profile slow { rate 1r/m; }
proxy_user_profile few { quota 2 per hour; }
END
}


sub server {
    my $tokens = write_file('directory', 'dir:' . sha256_hex($SCIM) . "\n");
    my $long = write_file('long', 'x' x 1_000_000);
    my $answer = 'try_files /index.html =404;';

    return <<"END";
add_header X-Reason \$proxy_user_reason always;
proxy_user on;
proxy_user_credential bearer api_key=X-API-Key cookie=session;
location / {
    proxy_set_header X-User "\$proxy_user_id \$proxy_user_roles";
    proxy_pass \$TEST_NGINX_BACKEND;
}
location = /read { proxy_user_role reader; proxy_user_role few; $answer }
location = /slow { proxy_user_role slow; $answer }
location = /few { proxy_user_role few; $answer }
location = /write { proxy_user_role writer; $answer }
location = /scope { proxy_user_scope write; $answer }
location = /claim {
    proxy_user_require \$proxy_user_claim_tenant;
    $answer
}
location = /maybe { proxy_user optional; $answer }
location = /report { proxy_user_mode report; proxy_user_role ops; $answer }
location = /jwt { proxy_user_accept file shared enc; $answer }
location = /guarded {
    proxy_user_accept file;
    proxy_user_guard rate=30r/m burst=2;
    $answer
}
location = /closed { proxy_user_on_unknown closed; $answer }
location = /assertion {
    proxy_user_assertion key=$DATA/ec256.pem;
    proxy_set_header X-Assertion \$proxy_user_assertion;
    proxy_pass \$TEST_NGINX_BACKEND;
}
location = /long {
    proxy_user_cut on;
    limit_rate 1k;
    alias $long;
}
location = /explain { proxy_user_role ops; proxy_user_explain; }
location = /keys { proxy_user off; proxy_user_jwks; }
location /scim/v2/ {
    proxy_user_scim token_file=$tokens;
    proxy_user_scim_role Editors writer;
}
@{[ events_location(issuer => 'file') ]}
END
}


# Who is there beforehand.

sub users {
    my $n = 0;
    my $add = sub {
        my ($sub, %more) = @_;
        $user{$sub} = seed_user(id => user_id(++$n), sub => $sub, %more);
    };

    $add->("known-$_", issuer => $idp->{url}) for 1 .. $USERS;
    $add->("victim-$_", issuer => $idp->{url}) for 1 .. 20;
    $add->("long-$_", issuer => $idp->{url}) for 1 .. 5;
    $add->('suspended', issuer => $idp->{url}, state => 'suspended');
    $add->('deleted', issuer => $idp->{url}, state => 'deleted');
    $add->('late', issuer => $idp->{url}, expires => 1700000000);
    $add->('old', issuer => $idp->{url}, epoch => 4102444800);
    $add->('service', issuer => $idp->{url}, type => 'service',
           roles => 'reader writer');
    $redis->command('SET', '{pu}:jti:' . b64u(sha256(
        "$idp->{url}\0revoked")), 1);
}


sub api_key {
    my (%field) = @_;

    my $head = sprintf 'puk_%010d_%s', ++$serial, b64u(sha256("k $serial"));
    my $key = $head . substr sha256_hex($head), 0, 6;
    my $digest = b64u(sha256($key));

    $redis->command('HSET', "{pu}:handle:key:$digest", created => int time,
        user => $user{service}, id => substr($key, 4, 10), state => 'active',
        %field);
    $redis->command('SADD', "{pu}:handles:$user{service}", "key:$digest");
    return $key;
}


# A provider's word about a user.
sub of {
    my ($sub, %claims) = @_;
    my %opt = %{ delete $claims{opt} // {} };

    return token(%opt, claims => { iss => $idp->{url}, sub => $sub,
                                   roles => ['reader'], %claims });
}


# The cheapest token there is, of somebody and never seen before.
sub shared {
    my ($sub, %claims) = @_;

    return token(alg => 'HS256', kid => undef, claims => {
        iss => 'https://shared.example.com', sub => $sub,
        jti => undef, n => "$$-" . ++$serial, %claims });
}


# What the change log tells, and the provider, is known to all workers.
sub warm_up {
    my ($nginx) = @_;

    my $end = time + patience(20);
    my $right = 0;
    while ($right < 20) {
        die "nobody is let in:\n", $nginx->log if time > $end;
        my $answer = $nginx->get('/read', of('known-1'));
        $right = $answer && $answer->{status} == 200 ? $right + 1 : 0;
        sleep 0.02 unless $right;
    }
}


sub directory {
    my ($nginx) = @_;

    @scim_user = map {
        my $r = $nginx->ask('POST', '/scim/v2/Users', token => $SCIM,
            headers => [['Content-Type' => 'application/scim+json']],
            body => $json->encode({
                schemas => ['urn:ietf:params:scim:schemas:core:2.0:User'],
                userName => "ada-$_\@example.com", active => JSON::PP::true,
                name => { familyName => 'Lovelace' } }));
        die "no user by SCIM: $r->{raw}\n" unless $r->{status} == 201;
        $json->decode($r->{body})->{id};
    } 1 .. 10;
}


# The kinds of requests.

sub request {
    my ($method, $uri, $header, $body) = @_;

    $header = { Authorization => "Bearer $header" } unless ref $header;
    return "$method $uri HTTP/1.1\r\nHost: localhost\r\n"
        . join('', map { "$_: $header->{$_}\r\n" } sort keys %$header)
        . (defined $body ? 'Content-Length: ' . length($body) . "\r\n" : '')
        . "\r\n" . ($body // '');
}


# One of those that are given: made once, sent often.
sub one_of {
    my @made = @_;
    return sub { $made[rand @made] };
}


sub get { request('GET', @_) }

sub key { { 'X-API-Key' => $_[0] } }

sub forged { tamper($_[0], 2, sub { $_[0] ^ "\1" }) }


# [ how many of a thousand, name, "status reason", what makes a request ]
sub kinds {
    return (allowed(), refused(), malformed(), limited(), of_keys(),
            of_directory(), of_provider(), of_operator());
}


sub allowed {
    my @alg = ({}, { alg => 'ES256' }, { alg => 'EdDSA' });
    my @opaque = map { "opaque-$_" } 1 .. 20;
    my @known = map { of("known-$_", opt => $alg[$_ % 3]) } 1 .. $USERS;
    my $enc = 'https://enc.example.com';
    my @encrypted = map { encrypt(token(claims => { iss => $enc,
        sub => "enc-$_" })) } 1 .. 10;
    my $ok = qr/^200 ok$/;

    return (
        [230, 'known', $ok, one_of(map { get('/read', $_) } @known)],
        [60, 'known, to a backend', $ok,
         one_of(map { get('/', $_) } @known)],
        [20, 'known, by a cookie', $ok,
         one_of(map { get('/read', { Cookie => "session=$_" }) } @known)],
        [20, 'known, closed', $ok,
         one_of(map { get('/closed', $_) } @known)],
        [20, 'assertion', $ok,
         one_of(map { get('/assertion', $_) } @known)],
        [40, 'new token', $ok, sub {
            get('/read', shared('shared-' . int rand 500)) }],
        [30, 'cold user', $ok, sub {
            get('/read', shared("cold-$$-" . ++$serial)) }],
        [20, 'asked about', $ok,
         one_of(map { get('/read', $_) } @opaque)],
        [15, 'encrypted', $ok,
         one_of(map { get('/read', $_) } @encrypted)],
        [20, 'anonymous', qr/^200 anonymous$/, sub {
            get('/maybe', {}) }],
        [10, 'preflight asks for more', qr/^401 no_credential$/, sub {
            request('OPTIONS', '/read', { Origin => 'https://a',
                'Access-Control-Request-Method' => 'PUT' }) }],
    );
}


sub refused {
    my $known = of('known-1');
    my @expired = map { of("known-$_", exp => 1700000000 + $_) } 1 .. 50;
    my @forged = map { forged(of("known-$_")) } 1 .. 50;
    my $unknown = of('known-1', opt => { kid => 'nobody-has-it' });

    return (
        [40, 'expired', qr/^401 token_expired$/,
         one_of(map { get('/read', $_) } @expired)],
        [30, 'expired, new', qr/^401 token_expired$/, sub {
            get('/read', shared('shared-1', exp => 1700000000)) }],
        [40, 'forged', qr/^401 token_signature$/,
         one_of(map { get('/read', $_) } @forged)],
        [10, 'forged, new', qr/^401 token_signature$/, sub {
            get('/read', forged(shared('shared-1'))) }],
        [20, 'unknown key', qr/^401 token_key_unknown$/,
         one_of(get('/read', $unknown))],
        [10, 'another issuer', qr/^401 token_issuer$/, sub {
            get('/read', shared('x', iss => 'https://else')) }],
        [10, 'another audience', qr/^401 token_audience$/, sub {
            get('/read', shared('x', aud => 'others')) }],
        [10, 'suspended', qr/^403 user_suspended$/,
         one_of(get('/read', of('suspended')))],
        [10, 'deleted', qr/^403 user_deleted$/,
         one_of(get('/read', of('deleted')))],
        [10, 'late', qr/^403 user_expired$/, one_of(get('/read', of('late')))],
        [10, 'revoked user', qr/^401 token_revoked$/,
         one_of(get('/read', of('old')))],
        [10, 'revoked token', qr/^401 token_revoked$/,
         one_of(get('/read', of('known-1', jti => 'revoked')))],
        [10, 'victim', qr/^(?:200 ok|401 token_revoked)$/,
         one_of(map { get('/read', victim($_)) } 1 .. 20)],
        [10, 'role', qr/^403 role_missing$/, one_of(get('/write', $known))],
        [10, 'method', qr/^403 method_not_permitted$/,
         one_of(request('DELETE', '/read', $known))],
        [10, 'scope', qr/^403 scope_missing$/, one_of(get('/scope', $known))],
        [10, 'claim', qr/^403 requirement_failed$/,
         one_of(get('/claim', $known))],
        [10, 'reported', qr/^200 role_missing$/,
         one_of(get('/report', $known))],
        [10, 'nobody', qr/^401 no_credential$/, sub { get('/read', {}) }],
    );
}


sub malformed {
    # What is no JWT at all would be asked about elsewhere.
    my @bytes = map { chr } 33 .. 43, 45 .. 126;
    my $good = token();

    return (
        [20, 'random bytes', qr/^401 /, sub {
            get('/jwt', 'x.' . join '', map { $bytes[rand @bytes] }
                1 .. 1 + rand 300) }],
        [20, 'cut', qr/^401 token_/, sub {
            get('/jwt', 'ey' . substr $good, 2, 1 + rand(length($good) - 40))
        }],
        [20, 'changed', qr/^401 token_/, sub {
            my $token = $good;
            substr $token, 5 + rand(length($token) - 45), 1,
                $bytes[rand @bytes];
            get('/jwt', $token eq $good ? "$good!" : $token) }],
        [10, 'payload', qr/^401 token_payload$/, sub {
            get('/read', token(alg => 'HS256', kid => undef, payload =>
                '{"iss":"https://shared.example.com","aud":"api","n":'
                . ++$serial . ',"n":1}')) }],
        [10, 'two', qr/^400 credential_ambiguous$/, sub {
            get('/read', { Authorization => "Bearer $good",
                           Cookie => "session=$good" }) }],
    );
}


sub limited {
    my @slow = map { of("slow-$_", roles => ['slow']) } 1 .. 5;
    my @few = map { of("few-$_", roles => ['few']) } 1 .. 5;

    return (
        [20, 'rate', qr/^(?:200 ok|429 rate_limited)$/,
         one_of(map { get('/slow', $_) } @slow)],
        [20, 'quota', qr/^(?:200 ok|429 quota_exceeded)$/,
         one_of(map { get('/few', $_) } @few)],
        [20, 'guard', qr/^(?:401 token_malformed|429 too_many_failures)$/,
         sub { get('/guarded', { Authorization => 'Bearer x.y',
             'X-Real-IP' => join '.', 10, 1, int rand 20, int rand 20 }) }],
    );
}


sub of_keys {
    my @key = map { api_key() } 1 .. 20;
    my @revoked = map { api_key(state => 'revoked') } 1 .. 3;
    my @late = map { api_key(expires => 1700000000) } 1 .. 3;
    my $capped = api_key(roles => 'reader');
    my $elsewhere = api_key(networks => '10.0.0.0/8');

    return (
        [40, 'key', qr/^200 ok$/, one_of(map { get('/read', key($_)) } @key)],
        [10, 'key, revoked', qr/^401 key_revoked$/,
         one_of(map { get('/read', key($_)) } @revoked)],
        [10, 'key, late', qr/^401 key_expired$/,
         one_of(map { get('/read', key($_)) } @late)],
        [10, 'key, made up', qr/^401 key_unknown$/, sub {
            my $key = sprintf 'puk_%010d_%s', rand 1e9,
                b64u(sha256(rand));
            get('/read', key($key . substr sha256_hex($key), 0, 6)) }],
        [10, 'key, wrong', qr/^401 key_unknown$/, sub {
            get('/read', key('puk_' . int rand 1e9)) }],
        [10, 'key, capped', qr/^403 role_missing$/,
         one_of(get('/write', key($capped)))],
        [10, 'key, elsewhere', qr/^403 network_not_permitted$/,
         one_of(get('/read', key($elsewhere)))],
    );
}


sub of_directory {
    my %type = ('Content-Type' => 'application/scim+json');
    my %may = (%type, Authorization => "Bearer $SCIM");
    my $patch = sub { $json->encode({ Operations => [@_],
        schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'] }) };

    return (
        [15, 'scim, one', qr/^200 $/,
         one_of(map { get("/scim/v2/Users/$_", \%may) } @scim_user)],
        [10, 'scim, filter', qr/^200 $/, sub { get('/scim/v2/Users?filter='
            . 'userName%20eq%20%22ada-' . int(rand 20)
            . '%40example.com%22', \%may) }],
        [5, 'scim, list', qr/^200 $/, one_of(
            get('/scim/v2/Users?count=5&startIndex=3', \%may))],
        [5, 'scim, schemas', qr/^200 $/,
         one_of(get('/scim/v2/Schemas', \%may))],
        [5, 'scim, none', qr/^404 $/,
         one_of(get('/scim/v2/Users/u_AAAAAAAAAAAAAAAAAAAAAA', \%may))],
        [5, 'scim, filter of nothing', qr/^400 $/,
         one_of(get('/scim/v2/Users?filter=a%20eq%20((', \%may))],
        [5, 'scim, twice', qr/^409 $/, one_of(request('POST',
            '/scim/v2/Users', \%may, $json->encode({
                schemas => ['urn:ietf:params:scim:schemas:core:2.0:User'],
                userName => 'ADA-1@example.com' })))],
        [5, 'scim, no JSON', qr/^400 $/, one_of(request('POST',
            '/scim/v2/Users', \%may, '{"userName":'))],
        [5, 'scim, changed', qr/^200 $/, sub { request('PATCH',
            "/scim/v2/Users/$scim_user[rand @scim_user]", \%may,
            $patch->({ op => 'Replace', path => 'name.familyName',
                       value => 'Name ' . ++$serial })) }],
        [5, 'scim, wrong token', qr/^401 $/, one_of(get('/scim/v2/Users',
            { %type, Authorization => 'Bearer wrong' }))],
    );
}


sub of_provider {
    my %type = ('Content-Type' => 'application/secevent+jwt');
    my %form = ('Content-Type' => 'application/x-www-form-urlencoded');
    my $post = sub { request('POST', '/events', @_) };
    my $forged = forged(event('session-revoked', sub => 'known-1'));
    my $else = event('session-revoked', sub => 'x',
                     claims => { iss => 'https://else' });

    return (
        [5, 'event, none', qr/^400 $/, one_of($post->(\%type, 'x'))],
        [5, 'event, forged', qr/^400 $/, one_of($post->(\%type, $forged))],
        [5, 'event, of others', qr/^400 $/, one_of($post->(\%type, $else))],
        [5, 'logout, forged', qr/^400 $/, one_of($post->(\%form,
            'logout_token=' . forged(logout(sub => 'x'))))],
        [2, 'logout', qr/^20[024] $/, sub { $post->(\%form,
            'logout_token=' . logout(sub => 'somebody', jti => "$$-"
                                     . ++$serial)) }],
        [3, 'event, read', qr/^405 $/, one_of(get('/events', {}))],
    );
}


sub of_operator {
    my $ops = of('ops', roles => ['ops']);
    my $about = '/explain?method=GET&uri=/read&host=localhost&user=';

    return (
        [5, 'explain', qr/^200 ok$/,
         one_of(map { get($about . $_, $ops) }
                @user{qw(known-1 suspended service)}, 'u_none')],
        [5, 'explain to others', qr/^403 role_missing$/,
         one_of(get($about . 'x', of('known-1')))],
        [5, 'keys', qr/^200 $/, one_of(get('/keys', {}))],
    );
}


# One of each that has to wait for Redis, which is stopped for that.
sub waiting {
    my ($nginx) = @_;

    my %type = ('Content-Type' => 'application/scim+json');
    my %may = (%type, Authorization => "Bearer $SCIM");
    my %form = ('Content-Type' => 'application/x-www-form-urlencoded');
    my $n = "$$-" . ++$serial;

    my @request = (
       ['a new user', qr/^200 ok$/, get('/read', shared("wait-$n"))],
       ['an API key', qr/^200 ok$/, get('/read', key(api_key()))],
       ['a directory that reads', qr/^200 $/,
        get("/scim/v2/Users/$scim_user[0]", \%may)],
       ['a directory that writes', qr/^201 $/,
        request('POST', '/scim/v2/Users', \%may, $json->encode({
            schemas => ['urn:ietf:params:scim:schemas:core:2.0:User'],
            userName => "wait-$n\@example.com" }))],
       ['a provider', qr/^20[04] $/, request('POST', '/events', \%form,
        'logout_token=' . logout(sub => 'somebody', jti => $n))],
       ['an operator', qr/^200 ok$/, get('/explain?method=GET&uri=/read'
        . "&host=localhost&user=$user{'known-1'}",
        of('ops', roles => ['ops']))]);

    $redis->freeze;
    my @wait = map { [@$_[0, 1], $nginx->connect] } @request;
    $wait[$_][2]->send($request[$_][2]) for 0 .. $#wait;
    sleep 0.3;
    return @wait;
}


sub victim { of("victim-$_[0]", iat => 1700000000) }


# All workers reach Redis and have keys, also after Redis was away.
sub well {
    my ($nginx) = @_;

    my $revoked = of('known-1', jti => 'revoked');
    my $end = time + patience(20);

    for (my $right = 0; $right < 30; $right++) {
        return 0 if time > $end;
        my @status = map { $_ ? $_->{status} : 0 }
            map { $nginx->get('/read', $_) } $revoked, shared("well-$right");
        next if "@status" eq '401 200';
        $right = -1;
        sleep 0.05;
    }

    return 1;
}


# Clients.

sub mix { end_mix(begin_mix(@_)) }


# Bounded by requests (of all clients together) or ended by end_mix.
sub begin_mix {
    my ($nginx, %opt) = @_;

    my $clients = $opt{clients} // 2;
    @kinds = kinds() unless @kinds;
    my @job;

    for my $i (1 .. $clients) {
        my $pid = open my $out, '-|';
        die "fork: $!\n" unless defined $pid;

        if ($pid == 0) {
            my $most = ($opt{requests} // 1e9) / $clients;
            my $said = eval { client($nginx, $most, \@kinds) }
                // { wrong => { "a client: $@" => 1 } };
            print $json->encode($said);
            close STDOUT;
            POSIX::_exit(0);
        }

        push @child, $pid;
        push @job, { pid => $pid, out => $out, stop => !$opt{requests} };
    }

    return { jobs => \@job };
}


sub end_mix {
    my ($mix) = @_;

    my %sum = (sent => 0, left => 0, kinds => {}, wrong => {});
    my @job = @{ $mix->{jobs} };
    $_->{stop} && kill TERM => $_->{pid} for @job;

    for my $job (@job) {
        my $text = do { local $/; readline $job->{out} } // '';
        close $job->{out};
        @child = grep { $_ != $job->{pid} } @child;

        my $said = $text eq '' ? { wrong => { 'a client: died' => 1 } }
                               : $json->decode($text);
        $sum{$_} += $said->{$_} // 0 for qw(sent left);
        for my $what (qw(kinds wrong)) {
            $sum{$what}{$_} += $said->{$what}{$_}
                for keys %{ $said->{$what} };
        }
    }

    return \%sum;
}


# Every kind as often as it wants to be.
sub lottery {
    my ($kinds) = @_;

    return map { ($_) x $_->[0] } @$kinds;
}


sub client {
    my ($nginx, $most, $kinds) = @_;

    my %said = (sent => 0, left => 0, kinds => {}, wrong => {});
    my @lot = lottery($kinds);
    my ($stop, $c);
    $SIG{TERM} = sub { $stop = 1 };
    srand $$;

    while (!$stop && getppid != 1 && $said{sent} < $most) {
        my @block = map { [$_, $_->[3]->()] }
            map { $lot[rand @lot] } 1 .. $BLOCK;

        $said{sent} += @block;
        if (int(rand $LEAVE) == 0) {
            leave($nginx, @block);
            $said{left} += @block;
            next;
        }

        $c = ask_all($nginx, $c, \%said, @block);
    }

    return \%said;
}


# Gone before the answers are there; of the last request half was sent.
sub leave {
    my ($nginx, @block) = @_;

    my $c = $nginx->connect;
    $c->send(substr join('', map { $_->[1] } @block), 0, -20);
    sleep 0.001 * rand 5;
    $c->reset;
}


# A worker that leaves says so, or ends a connection on which nothing was
# answered: what is left of a block is then asked again.
sub ask_all {
    my ($nginx, $c, $said, @block) = @_;

    my $tries = 0;

    while (@block) {
        $c //= $nginx->connect;
        $c->send(join '', map { $_->[1] } @block);
        my $closed = 0;

        while (@block && !$closed) {
            my $answer = $c->answer(timeout => 60) or last;
            judge($said, shift(@block)->[0], $answer);
            $closed = ($answer->{headers}{connection} // '') eq 'close';
            $tries = 0;
        }

        return $c if !@block && !$closed;
        $c->close;
        undef $c;

        if (@block && !$closed && ++$tries > 3) {
            $said->{wrong}{"$block[0][0][1]: no answer"}++;
            return;
        }
    }

    return;
}


sub judge {
    my ($said, $kind, $answer) = @_;

    my $got = "$answer->{status} " . ($answer->{headers}{'x-reason'} // '');
    $said->{kinds}{$kind->[1]}++;
    $said->{wrong}{"$kind->[1]: $got"}++ unless $got =~ $kind->[2];
}


# What happens to users meanwhile.

sub revoked {
    my ($nginx) = @_;

    change_user($user{"victim-$_"}, 'revoke', epoch => 1800000000)
        for 1 .. 20;
    my @still = grep {
        my $token = victim($_);
        !soon(sub { $nginx->get('/read', $token)->{status} == 401 });
    } 1 .. 20;
    change_user($user{"victim-$_"}, 'update', epoch => 0) for 1 .. 20;
    return @still;
}


sub streams {
    my ($nginx) = @_;

    my @open = map { [$_, stream_on($nginx, '/long', token => of("long-$_"))] }
        1 .. 5;
    change_user($user{"long-$_->[0]"}, 'suspend', state => 'suspended')
        for @open;
    my $left = grep { !defined ended($_->[1], patience(10)) } @open;
    change_user($user{"long-$_->[0]"}, 'resume', state => 'active')
        for @open;

    for my $n (map { $_->[0] } @open) {
        soon(sub { $nginx->get('/read', of("long-$n"))->{status} == 200 })
            or $left++;
    }

    $_->[1]->close for @open;
    return $left;
}


sub soon {
    my ($code) = @_;

    my $end = time + patience(10);
    until ($code->()) {
        return 0 if time > $end;
        sleep 0.02;
    }

    return 1;
}


# What it all takes.

sub footprint {
    my ($nginx) = @_;

    my ($worker, @files) = settled($nginx);
    my @memory = map { memory($_) } @$worker;

    return {
        master => memory($nginx->pid)->[0],
        worker => (sort { $b <=> $a } map { $_->[0] } @memory)[0],
        zone => (sort { $b <=> $a } map { $_->[1] } @memory)[0],
        master_files => shift @files, files => (sort { $b <=> $a } @files)[0],
    };
}


# Both workers, and the descriptors of the master and theirs, once nobody comes
# or goes, opens or closes one for a while.
sub settled {
    my ($nginx) = @_;

    my ($last, $same, @pid, @files) = ('', 0);
    my $end = time + patience(20);

    while ($same < 10 && time < $end) {
        @pid = sort $nginx->all_workers(2);
        @files = map { scalar(() = glob "/proc/$_/fd/*") } $nginx->pid, @pid;
        $same = "@pid @files" eq $last ? $same + 1 : 0;
        $last = "@pid @files";
        sleep 0.1;
    }

    return (\@pid, @files);
}


# What is the process's own, and what it has of shared memory, in KiB.
sub memory {
    my $text = read_file("/proc/$_[0]/status");

    return [map { $text =~ /^$_:\s+(\d+) kB$/m ? $1 : die "no $_\n" }
        qw(RssAnon RssShmem)];
}


END { kill KILL => @child if @child && $$ == $owner }


1;
