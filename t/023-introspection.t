# Tokens that are no JWTs: which are asked about and how, which answers let
# somebody in, how long they count, and that an issuer which does not answer
# holds up nobody but those who need to know. The issuer is a real one where
# it behaves.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Store;
use Test::More;

use Crypt::PK::ECC;
use Digest::SHA qw(sha256);
use IPC::Open2;
use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use Time::HiRes qw(sleep time);

# A minute has to go by, whatever else there is to do.
alarm 500;

my $json = JSON::PP->new->canonical->utf8->convert_blessed;
my $idp = fake_issuer();
my $ask = "$idp->{url}/ask";
my $secret = write_file('client-secret', "s3cr+t /%\n");
my $client = "client_id=gate client_secret_file=$secret";
my $data = ProxyUser::Token::DATA;
my $redis = redis_start();

sub issuer {
    my ($name, $url, @line) = @_;

    return join "\n", "proxy_user_issuer $name {", "issuer $url;",
        'audience api;', "jwks_file $ENV{TEST_NGINX_KEYS}/jwks.json;",
        'role_map reader reader;', (map { "$_;" } @line), "}\n";
}

sub introspecting {
    return issuer('idp', $idp->{url}, "introspection $ask $client", @_);
}

my $show = join '', map { "add_header $_ always;\n" }
    'X-Reason $proxy_user_reason', 'X-Subject $proxy_user_subject',
    'X-Token-Cache $proxy_user_token_cache', 'X-Id $proxy_user_id',
    'X-Cache $proxy_user_cache', 'X-Name $proxy_user_name',
    'X-Roles $proxy_user_roles', 'X-Scopes $proxy_user_scopes',
    'X-Type $proxy_user_type', 'X-Issuer $proxy_user_issuer',
    'X-Tenant $proxy_user_claim_tenant', 'X-List $proxy_user_claim_list';

# An nginx whose issuer has these lines, and who is open at /open.
sub gate {
    my ($lines, %opt) = @_;

    my $http = delete $opt{http} // '';
    my $server = delete $opt{server} // '';
    return start_nginx(http => $http . introspecting(@$lines),
        server => <<"END", %opt);
$show
proxy_user on;
location / { proxy_pass \$TEST_NGINX_BACKEND; }
location /open { proxy_user off; proxy_pass \$TEST_NGINX_BACKEND; }
$server
END
}

sub said {
    my ($nginx, $token, $uri) = @_;

    my $answer = $nginx->get($uri // '/', $token);
    return "$answer->{status} " . ($answer->{headers}{'x-reason'} // '');
}

# What the issuer says from now on; undef takes a claim away.
sub says {
    my (%claim) = (active => JSON::PP::true(), aud => 'api', sub => 'alice',
                   exp => time() + 600, @_);

    delete $claim{$_} for grep { !defined $claim{$_} } keys %claim;
    $claim{exp} = int $claim{exp} if ($claim{exp} // '') =~ /^\d+\.\d+$/;
    $idp->on('/ask', body => $json->encode(\%claim));
}

sub inactive { $idp->on('/ask', body => '{"active":false}') }

# A token that nobody has seen.
my $fresh = 0;
sub fresh { sprintf 'opaque~%d/%08x+', ++$fresh, rand 2 ** 32 }

sub asked { $idp->count('/ask') }

# Until it says so.
sub becomes {
    my ($nginx, $token, $want, $seconds) = @_;

    my $said;
    within($seconds // 15, sub {
        $said = said($nginx, $token);
        return $said eq $want;
    });
    return $said;
}


# A real provider first: what it says is remembered for a minute, which is up
# when all else is done.

my $port = free_port();
my $pid = open2(my $minted, my $mint, 'sh', '-c',
                "exec tools/node t/npm/opaque.mjs $port 2> /dev/null");
END { local $?; $pid and kill KILL => $pid and waitpid $pid, 0 }

sub next_minted {
    while (my $line = <$minted>) {
        return $1 if $line =~ /^token (\S+)$/;
    }

    die "no provider\n";
}

sub minted {
    print $mint "\n";
    $mint->flush;
    return next_minted();
}

my $real = next_minted();
my $real_secret = 's:cr+t %/"&';
my $real_file = write_file('real-secret', $real_secret);
my $real_issuer = "http://127.0.0.1:$port";
my $real_nginx = start_nginx(bare => 1, log_level => 'debug', workers => 2,
    http => <<"END", server => "$show proxy_user on;"
proxy_user_issuer idp {
    issuer $real_issuer;
    audience api;
    introspection $real_issuer/token/introspection client_id=gate
                  client_secret_file=$real_file;
    subject client_id;
    role_claim groups;
    role_map reader reader;
}
END
        . 'location / { proxy_user_role reader GET; proxy_user_scope read;'
        . ' try_files /index.html =404; }'
        . 'location /write { proxy_user_scope write;'
        . ' try_files /index.html =404; }');

my $since = time;

# At the provider, by the client that has it.
sub revoke {
    my ($token) = @_;

    system('curl', '-fsS', '-u', 'job:job-secret', '-d', "token=$token",
           "$real_issuer/token/revocation") == 0 or die "revocation: $?\n";
}

my ($unknown, $known) = ($real =~ s/.$/~/r, $real);
like $real, qr/^[A-Za-z0-9_-]{43}$/, 'a real provider: a token';
check_cases($real_nginx, 'a real provider',
    ['is asked', 'GET /', $known, 200, 'ok', 'X-Subject: job',
     'X-Type: service', 'X-Roles: reader', 'X-Scopes: read', 'X-Issuer: idp',
     'X-Tenant: blue', 'X-Token-Cache: miss'],
    ['is not asked again', 'GET /', $known, 200, 'ok', 'X-Token-Cache: hit'],
    ['scopes count', 'GET /write', $known, 403, 'scope_missing'],
    ['methods count', 'POST /', $known, 403, 'method_not_permitted'],
    ['a token it does not know', 'GET /', $unknown, 401, 'token_inactive',
     'WWW-Authenticate: Bearer realm="localhost", error="invalid_token", '
     . 'error_description="the token is not active"'],
    ['a JWT of others', 'GET /', token(), 401, 'token_key_unknown']);

my ($gone, $kept) = (minted(), minted());
revoke($gone);
is said($real_nginx, $gone), '401 token_inactive', 'one that was revoked';
is said($real_nginx, $kept), '200 ok', 'one that was not';
revoke($real);
is said($real_nginx, $real), '200 ok', 'revoked, and remembered'
    for 1 .. 4;
my $unasked = minted();

# The rest is told when its minute is over.


# The configuration.

my $empty = write_file('empty', "\n");
my $lines = write_file('lines', "one\ntwo\n");
for (['all of it', "introspection $ask $client", qr/successful/],
     ['https', "introspection https://127.0.0.1/i $client", qr/successful/],
     ['no client_id', "introspection $ask client_secret_file=$secret",
      qr/"introspection" has no "client_id=", needed is a url, client_id= and/],
     ['no secret', "introspection $ask client_id=a",
      qr/"introspection" has no "client_secret_file=", needed is a url/],
     ['a url alone', "introspection $ask", qr/has no "client_id="/],
     ['nothing', 'introspection', qr/"introspection" has 0 values/],
     ['an empty client_id', "introspection $ask client_id= client_secret_file=$secret",
      qr/"introspection" has the value "client_id=", allowed is a url, client/],
     ['two of them', "introspection $ask client_id=a client_id=b",
      qr/"introspection" has the value "client_id=b"/],
     ['another word', "introspection $ask $client secret=x",
      qr/"introspection" has 4 values|"introspection" has the value "secret=x"/],
     ['a secret in nginx.conf', "introspection $ask client_id=a client_secret=x",
      qr/"introspection" has the value "client_secret=x"/],
     ['http elsewhere', "introspection http://192.0.2.1/i $client",
      qr/"introspection" has the value "http:.*allowed is an https url/],
     ['no url', "introspection i $client",
      qr/"introspection" has the value "i", allowed is an https url/],
     ['a password in the url', "introspection https://a:b\@127.0.0.1/ $client",
      qr/"introspection" has the value/],
     ['a host that is none', "introspection https://nothing.invalid/ $client",
      qr{the host of "https://nothing.invalid/" cannot be used: host not}],
     ['no such file', "introspection $ask client_id=a client_secret_file=missing",
      qr/"introspection" cannot use its "client_secret_file": .*missing.*No su/],
     ['a directory', "introspection $ask client_id=a client_secret_file=/",
      qr/"introspection" cannot use its "client_secret_file"/],
     ['an empty secret', "introspection $ask client_id=a client_secret_file=$empty",
      qr/"introspection" has a "client_secret_file" that is empty/],
     ['two lines', "introspection $ask client_id=a client_secret_file=$lines",
      qr/"client_secret_file" that is no text of one line/],
     ['twice', "introspection $ask $client; introspection $ask $client",
      qr/"introspection" directive is duplicate/]) {
    my ($title, $line, $says) = @$_;

    my (undef, $text) = nginx_t(http => issuer('idp', $idp->{url}, $line));
    like $text, $says, "I14: nginx -t: $title";
    unlike $text, qr/s3cr/, "I14: nginx -t: $title: no secret";
}

my $two = introspecting() . issuer('b', 'https://b.example.com',
                                   "introspection $ask/b $client");
for (['two at once', 'location /x { proxy_user on; }',
      qr{location "/x" accepts more than one issuer with "introspection", all}],
     ['two at once, optional', 'location /x { proxy_user optional; }',
      qr{location "/x" accepts more than one issuer with "introspection"}],
     ['two accepted', 'location /x { proxy_user on; proxy_user_accept idp b; }',
      qr{location "/x" accepts more than one issuer with "introspection"}],
     ['one of them named', 'proxy_user on; proxy_user_accept idp;'
      . ' location /x { proxy_user_accept b; }', qr/successful/],
     ['where nobody is asked', 'location /x { proxy_user off; }',
      qr/successful/]) {
    my ($title, $server, $says) = @$_;

    my (undef, $text) = nginx_t(http => $two, server => $server);
    like $text, $says, "I14: nginx -t: $title";
}

is asked(), 0, 'nginx -t asks nobody';


# What is asked, and about what.

my $bare = issuer('plain', 'https://plain.example.com');
my $nginx = gate([], workers => 2,
    http => "large_client_header_buffers 4 32k;\n$bare",
    server => 'location /plain { proxy_user_accept plain;
                   proxy_pass $TEST_NGINX_BACKEND; }
               location /idp { proxy_user_accept idp;
                   proxy_pass $TEST_NGINX_BACKEND; }
               location /cookie { proxy_user_credential cookie=t;
                   proxy_pass $TEST_NGINX_BACKEND; }');
my $worker = join ' ', $nginx->all_workers(2);

says();
my $odd = 'a-b.c_d~e+f/g==';
is said($nginx, $odd), '200 ok', 'a token that is none of ours to read';
my ($sent) = $idp->requests;
is $sent->{line}, 'POST /ask HTTP/1.1', 'what was sent';
is_deeply [sort keys %{ $sent->{headers} }],
    [qw(accept authorization content-length content-type host user-agent)],
    'with which headers';
is $sent->{headers}{'content-type'}, 'application/x-www-form-urlencoded',
    'as a form';
is $sent->{body}, 'token=a-b.c_d~e%2Bf%2Fg%3D%3D&token_type_hint=access_token',
    'that means the token and nothing else';
is decode_base64($sent->{headers}{authorization} =~ s/^Basic //r),
    'gate:s3cr%2Bt%20%2F%25', 'by whom';

my $jwt = token(claims => { iss => $idp->{url} });
my $plain = token(claims => { iss => 'https://plain.example.com' });
my $long = 'x' x (16 * 1024);
my $before = asked();

check_cases($nginx, 'I1, I2: not asked',
    ['a JWT', 'GET /', $jwt, 200, 'ok'],
    ['a JWT of another issuer', 'GET /', $plain, 200, 'ok'],
    ['a JWT that is none', 'GET /', 'a.b.c', 401, 'token_malformed'],
    ['a JWT with a bad signature', 'GET /', tamper($jwt, 2,
        sub { $_[0] ^ "\1" }), 401, 'token_signature'],
    ['a JWT with padding', 'GET /', "$jwt=", 401, 'token_malformed'],
    ['a JWT without a signature', 'GET /', join('.', (split /\./,
        $jwt)[0, 1], ''), 401, 'token_malformed'],
    ['a JWE', 'GET /', 'a.b.c.d.e', 401, 'token_malformed'],
    ['a JWE without an encrypted key', 'GET /', 'a..c.d.e', 401,
     'token_malformed'],
    ['dots', 'GET /', '..', 401, 'token_malformed'],
    ['a form in it', 'GET /', 'a&token=b', 401, 'token_malformed'],
    ['percent', 'GET /', 'a%26b', 401, 'token_malformed'],
    ['an end in the middle', 'GET /', 'a=b', 401, 'token_malformed'],
    ['an end alone', 'GET /', '==', 401, 'token_malformed'],
    ['JSON', 'GET /', '{}', 401, 'token_malformed'],
    ['UTF-8', 'GET /', "\xc3\xa9", 401, 'token_malformed'],
    ['a tab', 'GET /', "a\tb", 401, 'token_malformed'],
    ['a space', 'GET /', 'a b', 400, 'credential_malformed'],
    ['a location whose issuer is not asked', 'GET /plain', fresh(), 401,
     'token_malformed'],
    ['a token that was good elsewhere', 'GET /plain', $odd, 401,
     'token_malformed'],
    ['a cookie that is none', 'GET /cookie', { Cookie => 't=a:b' }, 401,
     'token_malformed'],
    ['no token', 'GET /', undef, 401, 'no_credential']);
is asked(), $before, 'nobody was asked';

is said($nginx, $long), '200 ok', 'the longest there may be';
is said($nginx, "${long}x"), '401 token_too_large', 'I2: one byte more';
is asked(), $before + 1, 'is not asked about';

check_cases($nginx, 'asked',
    (map { ["dots: $_", 'GET /', $_, 200, 'ok'] } 'a', 'a.b', 'a.b.c.d',
        'a.b.c.d.e.f', '.', 'e30.e30'),
    ['where the issuer is named', 'GET /idp', fresh(), 200, 'ok'],
    ['a cookie', 'GET /cookie', { Cookie => 't=' . fresh() }, 200, 'ok']);


# Answers that let in, and what is known then.

sub case_of {
    my ($title, $claims, $status, $reason, @more) = @$_;

    says(%$claims);
    check_cases($nginx, 'answers', [$title, 'GET /', fresh(), $status,
                                    $reason, @more]);
}

case_of($_) for (
    ['as little as may be', {}, 200, 'ok', 'X-Subject: alice',
     'X-Name: alice', '!X-Roles', '!X-Scopes', 'X-Type: human'],
    ['our issuer', { iss => $idp->{url} }, 200, 'ok'],
    ['scopes, roles and a name', { sub => 'carol', scope => 'b a',
     roles => ['reader', 'other'], preferred_username => 'Carol C',
     client_id => 'web' }, 200, 'ok', 'X-Scopes: a b', 'X-Roles: reader',
     'X-Name: Carol C', 'X-Type: human'],
    ['a service', { sub => 'job', client_id => 'job' }, 200, 'ok',
     'X-Type: service'],
    ['several audiences', { aud => ['x', 'api'] }, 200, 'ok'],
    ['a type', { token_type => 'bearer' }, 200, 'ok'],
    ['claims', { tenant => "bl\xe9", list => [1, { a => 2 }] }, 200, 'ok',
     "X-Tenant: bl\xc3\xa9", 'X-List: [1,{"a":2}]'],
    ['a claim with a line end', { tenant => "a\r\nX-Roles: admin" }, 200,
     'ok', '!X-Tenant'],
    ['just over, within the leeway', { exp => time() - 5 }, 200, 'ok'],
    ['what it does not know', { '' => 1, sub => 'bob', n => 1e3 }, 200, 'ok']);


# Answers that do not.

case_of($_) for (
    ['I5: inactive', { active => JSON::PP::false() }, 401, 'token_inactive',
     '!X-Subject', '!X-Id', '!X-Roles'],
    ['I8: another issuer', { iss => "$idp->{url}/" }, 401, 'token_issuer'],
    ['I8: an issuer that is no text', { iss => null() }, 401, 'token_issuer'],
    ['I8: no audience', { aud => undef }, 401, 'token_audience'],
    ['I8: another audience', { aud => 'ap' }, 401, 'token_audience'],
    ['I8: no audience in a list', { aud => [] }, 401, 'token_audience'],
    ['I8: no end', { exp => undef }, 401, 'token_claims'],
    ['I8: an end that is no number', { exp => '4102444800' }, 401,
     'token_claims'],
    ['I8: over', { exp => time() - 60 }, 401, 'token_expired'],
    ['I8: not yet', { nbf => int time() + 60 }, 401, 'token_not_yet_valid'],
    ['I8: made tomorrow', { iat => int time() + 86400 }, 401,
     'token_not_yet_valid'],
    ['I8: nobody', { sub => undef }, 401, 'token_claims'],
    ['I8: an empty name', { sub => '' }, 401, 'token_claims'],
    ['I8: a name of 256 bytes', { sub => 'x' x 256 }, 401, 'token_claims'],
    ['I9: a refresh token', { token_type => 'refresh_token' }, 401,
     'token_type'],
    ['I8: an ID token', { at_hash => 'x' }, 401, 'token_type'],
    ['I8: a logout token', { events => {} }, 401, 'token_type'],
    ['I10: bound to something else', { cnf => { kid => 'x' } }, 401,
     'token_binding'],
    ['I8: a name that is no text', { jti => [1] }, 401, 'token_claims']);
$nginx->stop;

$nginx = gate(['max_age 1h', 'claim token_use access'], workers => 1);
case_of($_) for (
    ['young, with the claim', { iat => int time(), token_use => 'access' },
     200, 'ok'],
    ['I8: without the claim', { iat => int time() }, 401, 'token_claims'],
    ['I8: too old', { iat => int time() - 7200, token_use => 'access' }, 401,
     'token_too_old'],
    ['I8: of no age', { token_use => 'access' }, 401, 'token_claims']);
$nginx->stop;


# No answer: 503, never 401, and never the way in.

my $yes = $json->encode({ active => JSON::PP::true(), aud => 'api',
                          sub => 'alice', exp => 4102444800 });
my $pad = sub { $_[0] =~ s/^\{/'{"pad":"' . 'x' x ($_[1]
    - length($_[0]) - 9) . '",'/er };
my $limit = 64 * 1024;

my @trouble = (
    ['I3: status 500', { status => 500, body => $yes }, 'answers with status 500'],
    ['I3: status 401', { status => 401, body => $yes },
     'it answers with status 401, which is about "client_id" and'],
    ['I3: status 400', { status => 400, body => '{"error":"invalid_request"}' },
     'it answers with status 400'],
    ['I3: status 201', { status => 201, body => $yes }, 'answers with status 201'],
    ['I3: status 204', { status => 204 }, 'it answers with status 204'],
    ['I3: a redirect', { status => 307, body => $yes, headers =>
     { Location => '/ask2' } }, 'it answers with status 307'],
    ['I4: no JSON', { body => '<html>' }, 'no JSON object with a boolean'],
    ['I4: nothing', { body => '' }, 'no JSON object'],
    ['I4: a list', { body => "[$yes]" }, 'no JSON object'],
    ['I4: two objects', { body => "$yes$yes" }, 'no JSON object'],
    ['I4: half an object', { body => substr $yes, 0, -1 }, 'no JSON object'],
    ['I5: active is a text', { body => $yes =~ s/true/"true"/r },
     'no JSON object'],
    ['I5: active is a number', { body => $yes =~ s/true/1/r }, 'no JSON object'],
    ['I5: active is null', { body => $yes =~ s/true/null/r }, 'no JSON object'],
    ['I5: active is missing', { body => $yes =~ s/"active":true,?//r },
     'no JSON object'],
    ['I5: active twice', { body => $yes =~ s/\{/{"active":false,/r },
     'no JSON object'],
    ['I4: bad UTF-8', { body => $yes =~ s/alice/\xff/r }, 'no JSON object'],
    ['I4: too deep', { body => $yes =~ s/\}$/',"x":' . '[' x 17 . ']' x 17
        . '}'/er }, 'no JSON object'],
    ['I4: a byte too long', { body => $pad->($yes, $limit + 1) },
     'its answer is too large'],
    ['I4: no end', { mode => 'endless', body => ' ' x 8192 },
     'its answer is too large'],
    ['I4: gzip', { body => $yes, headers => { 'Content-Encoding' => 'gzip' } },
     'its answer is encoded'],
    ['I6: a closed connection', { mode => 'close' }, 'Server returned nothing'],
    ['I6: half of it', { mode => 'cut', body => $yes }, 'Transferred a partial'],
    ['I6: a slow one', { mode => 'drip', body => $yes },
     'it has not answered in time'],
    ['I6: silence', { mode => 'stall' }, 'it has not answered in time'],
);

$idp->on('/ask2', body => $yes);
$nginx = gate(['timeout 700ms']);
for (@trouble) {
    my ($title, $how, $why) = @$_;

    $idp->on('/ask', %$how);
    my $t = time;
    my $token = fresh();
    my $answer = $nginx->get('/', $token);
    is "$answer->{status} $answer->{headers}{'x-reason'}",
        '503 issuer_unavailable', "$title: 503";
    is $answer->{headers}{'retry-after'}, 1, "$title: for now";
    is $answer->{headers}{'x-subject'}, undef, "$title: nobody";
    ok time - $t < 4, "$title: soon";
    $idp->on('/ask', body => $yes);
    is said($nginx, $token), '200 ok', "$title: and is asked again";
}

my @told = lines($nginx->log, qr/\[error\]/);
ok @told >= 1 && @told <= 10, 'told of now and then: ' . @told;
like $told[0], qr/proxy_user: the issuer "idp" cannot be asked about tokens /,
    'whose they are';
like $told[0], qr/ at "\Q$ask\E": it answers with status 500: those that are/,
    'and why';
like $nginx->log, qr/\[notice\].*issuer "idp" can be asked about tokens again/,
    'and of the end of it';
is $idp->count('/ask2'), 0, 'no redirect was followed';
$idp->on('/ask', body => $pad->($yes, $limit));
is said($nginx, fresh()), '200 ok', 'the longest answer there may be';
$nginx->stop;

# Each says why, to a log that has not been told yet.
for (@trouble) {
    my ($title, $how, $why) = @$_;
    next unless $title =~ /401|active is a text|too long|silence|half of it/;

    $idp->on('/ask', %$how);
    my $gate = gate(['timeout 500ms']);
    said($gate, fresh()) for 1 .. 3;
    my @line = lines($gate->log, qr/cannot be asked about tokens/);
    is scalar @line, 1, "$title: the log says so once";
    like $line[0], qr/\Q$why\E/, "$title: and why";
    $gate->stop;
}

my $gone_port = free_port();
$nginx = start_nginx(server => "$show proxy_user on; location / { proxy_pass "
    . '$TEST_NGINX_BACKEND; }', http => issuer('idp', $idp->{url},
    "introspection http://127.0.0.1:$gone_port/ $client"));
is said($nginx, fresh()), '503 issuer_unavailable', 'nobody there';
is said($nginx, $jwt), '200 ok', 'does not matter to a JWT';
$nginx->stop;


# TLS: always verified.

my $tls = free_port();
my $web = start_nginx(bare => 1, http => <<"END");
server {
    listen 127.0.0.1:$tls ssl;
    ssl_certificate $data/tls-server.pem;
    ssl_certificate_key $data/tls-server.key;
    location / { proxy_pass $idp->{url}; }
}
END
says();
for (['the right certificate', "$data/tls-ca.pem", '200 ok'],
     ['of another authority', "$data/tls-other-ca.pem",
      '503 issuer_unavailable'],
     ['of nobody the system knows', '', '503 issuer_unavailable']) {
    my ($title, $ca, $want) = @$_;

    my $n = asked();
    my $gate = start_nginx(server => "$show proxy_user on; location / {"
        . ' proxy_pass $TEST_NGINX_BACKEND; }', http => issuer('idp',
        $idp->{url}, "introspection https://localhost:$tls/ask $client",
        $ca ? "ca_file $ca" : ()));
    is said($gate, fresh()), $want, "I7: TLS: $title";
    is asked() - $n, $want =~ /^200/ ? 1 : 0, "I7: TLS: $title: who is asked";
    $gate->stop;
}
$web->stop;


# What is remembered.

$nginx = gate([], workers => 2);
says(tenant => 'blue', list => ['x'], roles => ['reader']);
my $known_one = fresh();
$before = asked();
is said($nginx, $known_one), '200 ok', 'a token' for 1 .. 12;
is asked() - $before, 1, 'is asked about once, by all workers';
check_cases($nginx, 'remembered', ['all of it', 'GET /', $known_one, 200, 'ok',
    'X-Token-Cache: hit', 'X-Tenant: blue', 'X-List: ["x"]',
    'X-Roles: reader']);
inactive();
is said($nginx, $known_one), '200 ok', 'for a while';

my $bad_one = fresh();
my $t = time;
$before = asked();
is said($nginx, $bad_one), '401 token_inactive', 'a bad one' for 1 .. 6;
check_cases($nginx, 'remembered', ['a bad one', 'GET /', $bad_one, 401,
    'token_inactive', 'X-Token-Cache: hit', '!X-Subject']);
is asked() - $before, time - $t < 5 ? 1 : asked() - $before,
    'is asked about once';
says(exp => time() + 1);
is becomes($nginx, $bad_one, '200 ok'), '200 ok', 'and then again';
cmp_ok time - $t, '>', 4.5, 'after five seconds';
is asked() - $before, 2, 'with one question';

# The other answers are remembered as well.
says(aud => 'x');
$before = asked();
my $other = fresh();
is said($nginx, $other), '401 token_audience', 'of another audience' for 1, 2;
is asked() - $before, 1, 'is remembered';

# No longer than it is good.
says(exp => int time() - 28);
my $short = fresh();
is said($nginx, $short), '200 ok', 'within the leeway';
$before = asked();
is becomes($nginx, $short, '401 token_expired', 8), '401 token_expired',
    'and then over';
is asked(), $before, 'without a question';

# More claims than are kept: good, and asked about every time.
my ($fits, $large) = (fresh(), fresh());
says(pad => 'x' x 3900);
is said($nginx, $fits), '200 ok', 'claims of nearly 4 KiB';
$before = asked();
is said($nginx, $fits), '200 ok', 'are kept' for 1 .. 4;
is asked() - $before, 0, 'all of them';
says(pad => 'x' x 4200, tenant => 'green');
check_cases($nginx, 'large', ['claims', 'GET /', $large, 200, 'ok',
    'X-Tenant: green', 'X-Token-Cache: miss']) for 1 .. 3;
is asked() - $before, 3, 'are not';
says(pad => 'x' x 60000, tenant => 'green');
check_cases($nginx, 'larger', ['claims', 'GET /', $large, 200, 'ok',
    'X-Tenant: green', 'X-Token-Cache: miss']) for 1 .. 2;

# Under other settings it is another question; under the same it is not.
says(tenant => 'red');
my $settled = fresh();
is said($nginx, $settled), '200 ok', 'known';
$before = asked();
ok $nginx->reload, 'a reload';
is said($nginx, $settled), '200 ok', 'changes nothing' for 1 .. 4;
is asked() - $before, 0, 'and asks nothing';

for (['another audience', [], sub { $_[0] =~ s/audience api/audience api2/r },
      '401 token_audience'],
     ['another role', [], sub { $_[0] =~ s/reader reader/reader writer/r },
      '200 ok'],
     ['another client', [], sub { $_[0] =~ s/=gate/=gate2/r }, '200 ok'],
     ['another url', [], sub { $_[0] =~ s{/ask }{/ask?x }r }, '200 ok'],
     ['nobody to ask', [], sub { $_[0] =~ s/introspection.*?;//r },
      '401 token_malformed'],
     ['another leeway', ['leeway 10s'], sub { $_[0] }, '200 ok']) {
    my ($title, $line, $change, $want) = @$_;

    $nginx->configure(workers => 2, http => $change->(introspecting(@$line)),
        server => "$show proxy_user on; location / { proxy_pass "
        . '$TEST_NGINX_BACKEND; }');
    my $n = asked();
    ok $nginx->reload, "$title: in force";
    is said($nginx, $settled), $want, "I11: $title: judged anew" for 1 .. 2;
    is asked() - $n, $title =~ /leeway/ ? 0 : $title =~ /nobody/ ? 0 : 1,
        "$title: asked anew, or not";
}
$nginx->stop;


# Two issuers in two locations: the same text is two tokens.

$nginx = start_nginx(http => introspecting()
    . issuer('b', 'https://b.example.com', "introspection $idp->{url}/b "
             . "client_id=b client_secret_file=$secret"),
    server => "$show proxy_user on;"
    . ' location / { proxy_user_accept idp; proxy_pass $TEST_NGINX_BACKEND; }'
    . ' location /b { proxy_user_accept b; proxy_pass $TEST_NGINX_BACKEND; }'
    . ' location /then { proxy_user_accept idp; error_page 401 = /b;'
    . '     proxy_pass $TEST_NGINX_BACKEND; }'
    . ' location /role { proxy_user_accept idp; proxy_user_role admin;'
    . '     error_page 403 = @b; proxy_pass $TEST_NGINX_BACKEND; }'
    . ' location /same { proxy_user_accept idp; proxy_user_role admin;'
    . '     error_page 403 = @same; proxy_pass $TEST_NGINX_BACKEND; }'
    . ' location @same { proxy_user_accept idp;'
    . '     proxy_pass $TEST_NGINX_BACKEND; }'
    . ' location @b { proxy_user_accept b; proxy_pass $TEST_NGINX_BACKEND; }');
says(sub => 'at-idp', tenant => 'blue');
$idp->on('/b', body => $json->encode({ active => JSON::PP::true(),
    aud => 'api', sub => 'at-b', exp => 4102444800 }));
my $both = fresh();
for (1, 2) {
    check_cases($nginx, "I11: two, $_",
        ['one', 'GET /', $both, 200, 'ok', 'X-Subject: at-idp',
         'X-Issuer: idp', 'X-Tenant: blue'],
        ['the other', 'GET /b', $both, 200, 'ok', 'X-Subject: at-b',
         'X-Issuer: b', '!X-Tenant']);
}
check_cases($nginx, 'redirect',
    ['proven is proven, but not accepted', 'GET /role', fresh(), 403,
     'issuer_not_accepted']);
$before = asked();
check_cases($nginx, 'redirect',
    ['into a location of its issuer', 'GET /same', fresh(), 200, 'ok',
     'X-Tenant: blue']);
is asked() - $before, 1, 'with one question';
inactive();
check_cases($nginx, 'redirect',
    ['inactive at one, and good at the other', 'GET /then', fresh(), 200,
     'ok', 'X-Subject: at-b']);
$nginx->stop;


# Many at once, and an issuer that takes its time.

$nginx = gate(['timeout 10s'], http => 'log_format who "$uri $status";',
              server => 'access_log logs/who.log who;');

# Connections that have asked.
sub waiting {
    my (@token) = @_;

    return map {
        my $c = $nginx->connect;
        $c->ask('GET', '/', token => $_);
        $c;
    } @token;
}

sub answers {
    my %count;
    $count{(($_->answer(timeout => 20) // {})->{headers} // {})->{'x-reason'}
        // 'none'}++ for @_;
    return \%count;
}

my $wave = fresh();
$before = asked();
$idp->on('/ask', body => $yes, delay => 1.5);
my @c = waiting(($wave) x 50);
$t = time;
is $nginx->get('/open')->{status}, 200, 'others are answered' for 1 .. 10;
is said($nginx, $jwt), '200 ok', 'with a JWT too';
ok time - $t < 1.4, 'at once';
is_deeply answers(@c), { ok => 50 }, 'fifty with one token are let in';
is asked() - $before, 1, 'after one question';

inactive();
$idp->on('/ask', body => '{"active":false}', delay => 0.5);
@c = waiting((fresh()) x 20);
is_deeply answers(@c), { token_inactive => 20 }, 'twenty with a bad one not';
is asked() - $before, 2, 'after one';

# Who goes away loses nothing for the others, and what came is kept.
$idp->on('/ask', body => $yes, delay => 1);
my ($left, $alone) = (fresh(), fresh());
@c = waiting(($left) x 5, $alone);
ok $idp->wait_count('/ask', $before + 4), 'two questions';
$_->reset for @c[0, 2, 5];
is_deeply answers(@c[1, 3, 4]), { ok => 3 }, 'three of six have gone';
ok within(10, sub { read_file("$nginx->{root}/logs/who.log")
    =~ /(?:.* 499\n[^\0]*){3}/ }), 'with status 499';
is said($nginx, $alone), '200 ok', 'an answer that nobody waited for';
is asked() - $before, 4, 'is kept all the same';

# Silence: who needs to know waits, who does not is not held up, and only so
# many wait.
$nginx->stop;
$nginx = gate(['timeout 3s']);
$idp->on('/ask', mode => 'stall');
@c = waiting(map { fresh() } 1 .. 160);
$t = time;
is $nginx->get('/open')->{status}, 200, 'others are answered' for 1 .. 20;
ok time - $t < 2, 'soon';
is_deeply answers(@c), { issuer_unavailable => 160 }, 'those are not';
like $nginx->log, qr/cannot be asked about tokens .*answered in time/, 'told';
says();
is becomes($nginx, fresh(), '200 ok'), '200 ok', 'and then they are';
ok $nginx->stop, 'an end';
ok !$nginx->trouble, 'without trouble';

$nginx = gate(['timeout 9s']);
$idp->on('/ask', mode => 'stall');
@c = waiting(map { fresh() } 1 .. 128);
sleep 0.5;
$t = time;
is said($nginx, fresh()), '503 issuer_unavailable', 'I13: one more than may wait';
cmp_ok time - $t, '<', 6, 'does not';
$_->reset for @c;
$nginx->stop;

# A reload and an end while somebody waits.
for my $how ('HUP', 'QUIT') {
    $idp->on('/ask', body => $yes, delay => 2);
    $nginx = gate(['timeout 8s'], workers => 2);
    $before = asked();
    my $token = fresh();
    @c = waiting(($token) x 6);
    ok $idp->wait_count('/ask', $before + 1), "$how: asked";
    $_->reset for splice @c, 0, 2;
    $nginx->signal($how);
    is_deeply answers(@c), { ok => 4 }, "$how: who waits is told";
    is said($nginx, $token), '200 ok', "$how: and the new ones know"
        if $how eq 'HUP';
    ok $nginx->stop, "$how: an end";
    ok !$nginx->trouble, "$how: without trouble";
}

# Whoever is killed takes nothing with him.
$nginx = gate(['timeout 8s'], workers => 1, expect => qr/exited on signal 9/);
$idp->on('/ask', mode => 'stall');
@c = waiting(fresh());
sleep 0.3;
kill KILL => $nginx->all_workers(1);
says();
is becomes($nginx, fresh(), '200 ok'), '200 ok', 'after a kill';
$nginx->stop;


# The guard counts tokens that are not active, and lets known ones by.

$nginx = gate([], http => "proxy_user_guard rate=1r/m burst=2;\n");
says();
my $guarded = fresh();
is said($nginx, $guarded), '200 ok', 'guard: a good one';
inactive();
is said($nginx, fresh()), '401 token_inactive', 'guard: bad' for 1 .. 3;
$before = asked();
is said($nginx, fresh()), '429 too_many_failures', 'guard: too many';
is asked(), $before, 'guard: and nobody is asked';
is said($nginx, $guarded), '200 ok', 'guard: the good one is known';
$nginx->stop;


# Redis: revoked by name, and by the user's epoch; a user is made by what was
# kept.

$nginx = store_nginx(workers => 2, redis => 'timeout=2s stale=30s',
                     http => introspecting()
                     . issuer('std', issuer_url()));
warm($nginx);
says(jti => 'one', sub => 'dora', preferred_username => 'Dora D',
     iat => int time() - 10);
my ($named, $again, $third) = (fresh(), fresh(), fresh());
$before = asked();
is verdict($nginx, $named), '200 ok', 'a token with a name' for 1 .. 8;
is asked() - $before, 1, 'is asked about once';
is ask($nginx, $named)->{token_cache}, 'hit', 'and known';
my ($code, $out) = proxy_user(qw(token revoke --issuer), $idp->{url}, '--jti',
                              'one');
is $code, 0, 'revoked by it' or diag $out;
ok defined within(10, sub { verdict($nginx, $named) eq '401 token_revoked' }),
    'I12: and refused';
is verdict($nginx, $again), '401 token_revoked', 'another of the name too';

says(sub => 'dora', iat => int time() - 10);
is verdict($nginx, $third), '200 ok', 'another name';
($code) = proxy_user(qw(user revoke), ask($nginx, $third)->{id});
is $code, 0, 'all of the user';
ok defined within(10, sub { verdict($nginx, $third) eq '401 token_revoked' }),
    'I12: are refused';

says(sub => 'erna', preferred_username => 'Erna E', client_id => 'erna');
my $erna = fresh();
$before = asked();
$redis->freeze;
is verdict($nginx, $erna, '/closed'), '503 store_unavailable',
    'no user, and no Redis';
$redis->thaw;
ok defined within(15, sub { verdict($nginx, $erna) eq '200 ok' }), 'then both';
my $known_erna = ask($nginx, $erna);
is $known_erna->{name}, 'Erna E', 'made by what was kept of the token';
is $known_erna->{type}, 'service', 'all of it';
is asked() - $before, 1, 'without another question';

# The other worker may still be waiting before it tries Redis again.
ok defined within(15, sub {
    my $log = $nginx->log;
    my ($lost, $back) = map { scalar(() = $log =~ /is $_ for/g) }
        'not available', 'available again';
    return $lost == $back;
}), 'Redis is back for every worker';


# Bound tokens need what they are bound to, at every use.

my $pk = Crypt::PK::ECC->new;
$pk->generate_key('secp256r1');
my $jwk = $json->decode($pk->export_key_jwk('public'));
$jwk = { map { $_ => $jwk->{$_} } qw(kty crv x y) };

sub proof {
    my ($token, %claim) = @_;

    my $text = join '.', map { b64u($json->encode($_)) }
        { typ => 'dpop+jwt', alg => 'ES256', jwk => $jwk },
        { jti => 'p' . rand, htm => 'GET', htu => 'http://localhost/',
          iat => int time, ath => b64u(sha256($token)), %claim };
    return "$text." . b64u($pk->sign_message_rfc7518($text, 'SHA256'));
}

sub dpop {
    my ($token, $proof) = @_;
    return { Authorization => "DPoP $token",
             defined $proof ? (DPoP => $proof) : () };
}

says(sub => 'fred', cnf => { jkt => b64u(sha256($json->encode($jwk))) },
     token_type => 'DPoP');
my ($bound, $elsewhere) = (fresh(), fresh());
check_cases($nginx, 'I10: bound',
    ['no proof', 'GET /', dpop($bound), 401, 'token_binding'],
    ['as Bearer', 'GET /', $bound, 401, 'token_binding'],
    ['a proof', 'GET /', dpop($bound, proof($bound)), 200, 'ok'],
    ['a proof for another token', 'GET /', dpop($bound, proof($elsewhere)),
     401, 'token_binding'],
    ['a proof for another method', 'GET /', dpop($bound, proof($bound,
     htm => 'POST')), 401, 'token_binding'],
    ['another proof', 'GET /', dpop($bound, proof($bound)), 200, 'ok',
     'X-Token-Cache: hit'],
    ['no proof, once known', 'GET /', dpop($bound), 401, 'token_binding']);
says(sub => 'fred', cnf => { 'x5t#S256' => b64u(sha256('x')) });
is verdict($nginx, fresh()), '401 token_binding', 'I10: a certificate that is not';
ok !trouble($nginx->log), 'nothing alarming was logged';
$nginx->stop;


# What the backend is told.

my $signer = "$data/ec256.pem";
$nginx = gate([], server => "location /signed {
    proxy_user_assertion key=$signer issuer=gate;
    add_header X-Assertion \$proxy_user_assertion always;
    add_header X-Token-Cache \$proxy_user_token_cache always;
    add_header X-Reason \$proxy_user_reason always;
    proxy_pass \$TEST_NGINX_BACKEND; }");
says(client_id => 'web', scope => 'a');
for my $title ('miss', 'hit') {
    my $answer = $nginx->get('/signed', $settled);
    is $answer->{headers}{'x-reason'}, 'ok', "$title: good";
    my $claims = $json->decode(unb64u((split /\./,
        $answer->{headers}{'x-assertion'} // '')[1] // 'e30'));
    is $claims->{client}, 'web', "$title: whose client it is";
    is_deeply $claims->{scopes}, ['a'], "$title: and its scopes";
    is $answer->{headers}{'x-token-cache'}, $title, $title;
}
$nginx->stop;


# The minute is over.

my $left_over = $since + 58 - time;
is said($real_nginx, $real), '200 ok', 'still remembered' if $left_over > 8;
sleep $left_over if $left_over > 0;
is becomes($real_nginx, $real, '401 token_inactive', 20),
    '401 token_inactive', 'I12: a token that was revoked is refused then';
cmp_ok time - $since, '<', 90, 'after a minute' if $left_over > 0;
is said($real_nginx, $kept), '200 ok', 'and one that was not is good';

kill KILL => $pid;
waitpid $pid, 0;
undef $pid;
is said($real_nginx, $unasked), '503 issuer_unavailable',
    'a provider that is gone';
is said($real_nginx, $kept), '200 ok', 'what it said is known';

# nginx's own debug lines show request headers; this module's must not.
my $log = join "\n", grep { !/http header: / } split /\n/, $real_nginx->log;
like $log, qr/proxy_user introspect: asks/, 'the debug log has its part';
ok index($log, $_) == -1, 'and no token' for $real, $kept, $unasked, $unknown;
unlike $log, qr/cr\+t|cr%2Bt|Basic /, 'nor the secret';
ok index($log, MIME::Base64::encode_base64('gate:s%3Acr', '')) == -1,
    'in any form';

done_testing;
