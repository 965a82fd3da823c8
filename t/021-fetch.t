# Keys over the network: where they come from, what of it is believed, who
# waits for them and for how long, and what it costs everybody else: nothing.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use Test::More;

use IO::Socket::INET;
use Time::HiRes qw(sleep time);

$ENV{http_proxy} = $ENV{all_proxy} = 'http://127.0.0.1:1';

my $idp = fake_issuer();
my $set = jwks(jwk('rsa1'), jwk('ec256'));
my $large = 256 * 1024;

sub issuer {
    my ($name, @line) = @_;

    return join "\n", "proxy_user_issuer $name {", 'audience api;',
        (map { "$_;" } @line), "}\n";
}

# An nginx with one issuer of these lines, whose url is the server's.
sub gate {
    my ($lines, %opt) = @_;

    my $url = delete $opt{url} // $idp->{url};
    my $http = delete $opt{http} // '';
    return start_nginx(
        http => $http . issuer('idp', "issuer $url", @$lines),
        location => 'add_header X-Reason $proxy_user_reason always;
            proxy_user on;',
        server => 'location /open { proxy_pass $TEST_NGINX_BACKEND; }',
        %opt);
}

# A token of that issuer.
sub from {
    my ($url, %opt) = @_;

    return token(%opt, claims => { iss => $url, %{ $opt{claims} // {} } });
}

my $good = from($idp->{url});
my $other = from($idp->{url}, key => 'rsa2');

sub said {
    my ($nginx, $token) = @_;

    my $answer = $nginx->get('/', $token);
    return "$answer->{status} " . ($answer->{headers}{'x-reason'} // '');
}

# Until it says so, for those who come before the keys.
sub becomes {
    my ($nginx, $token, $want, $seconds) = @_;

    my $end = time + ($seconds // 8);
    my $said;
    do {
        $said = said($nginx, $token);
        return $said if $said eq $want;
        sleep 0.1;
    } while (time < $end);

    return $said;
}


# The configuration.

for (['a url', [ 'jwks_uri https://127.0.0.1/k' ], qr/successful/],
     ['http on loopback', [ 'jwks_uri http://[::1]:1/k' ], qr/successful/],
     ['nothing is discovery', [], qr/successful/],
     ['discovery on', [ 'discovery on' ], qr/successful/],
     ['discovery by url', [ 'discovery https://127.0.0.1/d' ],
      qr/successful/],
     ['all of it', [ 'jwks_uri https://127.0.0.1/', 'timeout 500ms',
                     'ca_file ' . ProxyUser::Token::DATA . '/tls-ca.pem' ],
      qr/successful/],
     ['http elsewhere', [ 'jwks_uri http://192.0.2.1/k' ],
      qr/"jwks_uri" has the value "http:.*allowed is an https url/],
     ['no url', [ 'jwks_uri keys' ], qr/"jwks_uri" has the value "keys"/],
     ['a file', [ 'jwks_uri file:///etc/passwd' ], qr/"jwks_uri"/],
     ['a password', [ 'jwks_uri https://a:b@127.0.0.1/' ], qr/"jwks_uri"/],
     ['too long', [ 'jwks_uri https://127.0.0.1/' . 'x' x 2048 ],
      qr/at most 2048/],
     ['no word of discovery', [ 'discovery maybe' ],
      qr/"discovery" has the value "maybe", allowed is on, off or an https/],
     ['a host that is none', [ 'jwks_uri https://nothing.invalid/k' ],
      qr{the host of "https://nothing.invalid/k" cannot be used: host not}],
     ['two places', [ 'jwks_uri https://127.0.0.1/', 'discovery on' ],
      qr/more than one of "jwks_file", "secret_file", "jwks_uri" and/],
     ['a file and a place', [ "jwks_file $ENV{TEST_NGINX_KEYS}/jwks.json",
                              'jwks_uri https://127.0.0.1/' ],
      qr/more than one of/],
     ['a file and discovery', [ "jwks_file $ENV{TEST_NGINX_KEYS}/jwks.json",
                                'discovery on' ], qr/more than one of/],
     ['a file and discovery off',
      [ "jwks_file $ENV{TEST_NGINX_KEYS}/jwks.json", 'discovery off' ],
      qr/successful/],
     ['a place and discovery off', [ 'jwks_uri https://127.0.0.1/',
                                     'discovery off' ], qr/successful/],
     ['no place at all', [ 'discovery off' ],
      qr/"discovery off" and no "jwks_file", needed is/],
     ['HS with keys of others', [ 'jwks_uri https://127.0.0.1/',
                                  'algorithms HS256' ], qr/"HS256"/],
     ['twice', [ ('jwks_uri https://127.0.0.1/') x 2 ], qr/is duplicate/],
     ['no time', [ 'timeout soon' ],
      qr/"timeout" has the value "soon", allowed is a time from 1ms to 60s/],
     ['no time at all', [ 'timeout 0' ], qr/"timeout"/],
     ['too much time', [ 'timeout 61s' ], qr/"timeout"/],
     ['no such file', [ 'ca_file missing.pem' ],
      qr/"ca_file" has the value ".*missing.pem", allowed is a file of cert/],
     ['no certificate', [ "ca_file $ENV{TEST_NGINX_KEYS}/jwks.json" ],
      qr/"ca_file" has the value/]) {
    my ($title, $lines, $says) = @$_;

    my (undef, $text) = nginx_t(http => issuer('idp',
        'issuer https://127.0.0.1:1', @$lines));
    like $text, $says, "nginx -t: $title";
}

$idp->discovers($set);
nginx_t(http => issuer('idp', "issuer $idp->{url}"));
is scalar($idp->requests), 0, 'nginx -t asks nobody';


# A good issuer. Each worker of two has the keys, which are fetched once.

my $nginx = gate([], workers => 2);
is said($nginx, $good), '200 ok', 'the first request waits for the keys'
    for 1 .. 8;
is said($nginx, $other), '401 token_key_unknown', 'no other key is known';
is said($nginx, from($idp->{url}, kid => undef)), '200 ok', 'or no name';
is said($nginx, tamper($good, 2, sub { $_[0] ^ "\1" })),
    '401 token_signature', 'a signature is a signature';
is said($nginx, token()), '401 token_issuer', 'another issuer is none';
is $idp->count('/jwks'), 2, 'K10: asked at the start and for the unknown key';
is said($nginx, from($idp->{url}, kid => "x$_")), '401 token_key_unknown',
    'an unknown key more' for 1 .. 10;
is $idp->count('/jwks'), 2, 'K10: is no reason to ask again so soon';
like $nginx->log, qr/\[notice\].*[ ]proxy_user:[ ]the[ ]keys[ ]of[ ]issuer[ ]
    "idp"[ ]are[ ]fetched[ ]from[ ]"\S+openid-configuration":[ ]2,[ ]new/x,
    'the log says so';
is scalar(() = $nginx->log =~ /are fetched/g), 1, 'once';
unlike $nginx->log, qr/\[(?:warn|err)/, 'and no more';

my @before = $idp->requests;
ok $nginx->reload, 'a reload';
is said($nginx, $good), '200 ok', 'still knows them' for 1 .. 4;
is scalar($idp->requests), scalar(@before), 'and asks nobody';

$idp->discovers(jwks(jwk('rsa1', kid => 'new'), jwk('ec256', use => 'enc')));
$nginx->configure(http => issuer('idp', "issuer $idp->{url}",
                                 "jwks_uri $idp->{url}/jwks"),
    location => 'add_header X-Reason $proxy_user_reason always;
        proxy_user on; proxy_pass $TEST_NGINX_BACKEND;', workers => 2);
ok $nginx->reload, 'another place for the keys';
is becomes($nginx, $good, '401 token_key_unknown'),
    '401 token_key_unknown', 'is in force at once, for known tokens too';
is said($nginx, from($idp->{url}, kid => 'new')), '200 ok', 'as its keys are';
ok $nginx->wait_log(qr/\[warn\].*issuer "idp": key 2 .* is left out/),
    'a key that is no use is told';
ok $nginx->stop, 'an end';
ok !$nginx->trouble, 'without trouble';

my ($asked) = $idp->requests;
is $asked->{line}, 'GET /.well-known/openid-configuration HTTP/1.1',
    'what was asked';
is_deeply [sort keys %{ $asked->{headers} }],
    [qw(accept host user-agent)], 'and with which headers';


# Bad answers. 503 and never 401, and the log says once what is wrong.

my $discovery = '/.well-known/openid-configuration';
my $keys = sub { my @how = @_; sub { $_[0]->on('/jwks', @how) } };
my $document = sub { my @how = @_; sub { $_[0]->on($discovery, @how) } };
my $named = sub {
    my ($issuer, $uri) = @_;
    return $document->(body => qq({"issuer":"$issuer","jwks_uri":"$uri"}));
};

for (['K1: status 500', $keys->(status => 500, body => $set),
      'it answers with status 500'],
     ['K1: status 404', $keys->(status => 404), 'it answers with status 404'],
     ['K1: status 204', $keys->(status => 204), 'it answers with status 204'],
     ['K1: no JSON', $keys->(body => '<html>'), 'the key set is not a JSON'],
     ['K1: nothing', $keys->(body => ''), 'the key set is not a JSON'],
     ['K1: no set', $keys->(body => '{"keys":{}}'), 'the key set is not a JSON'],
     ['K4: a private key', $keys->(body => read_secret()),
      'the key set has a private or symmetric key'],
     ['a closed connection', $keys->(mode => 'close'), 'Server returned not'],
     ['half of it', $keys->(mode => 'cut', body => $set), 'Transferred a part'],
     ['garbage', $keys->(mode => 'raw', bytes => "\0\1\2\n\n"), ''],
     ['K1: no end', $keys->(mode => 'endless', body => ' ' x 8192),
      'its answer is too large'],
     ['K1: too large', $keys->(body => $set . ' ' x ($large + 1 - length $set)),
      'its answer is too large'],
     ['too long a header', $keys->(body => $set, headers => {
         map { ("X-$_" => 'x' x 8000) } 1 .. 9 }), 'its header is too large'],
     ['K1: gzip', $keys->(body => $set, headers =>
         { 'Content-Encoding' => 'gzip' }), 'its answer is encoded'],
     ['K1: a redirect elsewhere', $keys->(status => 302, headers =>
         { Location => 'http://127.0.0.1:1/jwks' }),
      'it redirects to another origin'],
     ['K1: a redirect to another name', $keys->(status => 302, headers =>
         { Location => "http://localhost:$idp->{port}/jwks" }),
      'it redirects to another origin'],
     ['K1: a redirect to a file', $keys->(status => 302, headers =>
         { Location => 'file:///etc/passwd' }),
      'it redirects to another origin'],
     ['K1: a redirect in a ring', $keys->(status => 302, headers =>
         { Location => '/jwks' }), 'it redirects too often'],
     ['a slow one', $keys->(mode => 'drip', body => $set),
      'it has not answered in time'],
     ['silence', $keys->(mode => 'stall'), 'it has not answered in time'],
     ['a silent document', $document->(mode => 'stall'),
      'it has not answered in time'],
     ['no document', $document->(status => 404), 'status 404'],
     ['a document of another', $named->("$idp->{url}/", "$idp->{url}/jwks"),
      qq(of the issuer "$idp->{url}/", which is another one)],
     ['a document without keys', $named->($idp->{url}, '/jwks'),
      'has no "jwks_uri"'],
     ['keys in the clear', $named->($idp->{url}, 'http://192.0.2.1/jwks'),
      'has no "jwks_uri"'],
     ['keys of an unknown host',
      $named->($idp->{url}, 'https://keys.example/jwks'),
      'its host is not known, a "resolver"'],
     ['keys where nobody is', $named->($idp->{url}, 'http://127.0.0.1:1/'),
      'connect to server']) {
    my ($title, $how, $why) = @$_;

    $idp->discovers($set);
    $how->($idp);
    my $gate = gate([$why =~ /in time/ ? 'timeout 500ms' : 'timeout 4s']);
    my $since = time;
    is said($gate, $good), '503 issuer_unavailable', "$title: 503";
    ok time - $since < 3, "$title: soon";
    is said($gate, 'x.y.z'), '401 token_malformed', "$title: not for all";
    like $gate->log, qr/\[error\].*proxy_user:[ ]the[ ]keys[ ]of[ ]issuer[ ]
        "idp"[ ]cannot[ ]be[ ]fetched[ ]from[ ]"\S+":[ ].*\Q$why\E.*:[ ]its[ ]
        tokens[ ]cannot[ ]be[ ]checked/x, "$title: the log says why";
    $gate->stop;
}

sub read_secret {
    return '{"keys":[{"kty":"oct","k":"AAAA","kid":"rsa1"}]}';
}


# Good answers that look unusual.

for (['a redirect within the origin', $keys->(status => 307, headers =>
          { Location => '/keys' })],
     ['the largest there may be',
      $keys->(body => $set . ' ' x ($large - length $set))],
     ['identity', $keys->(body => $set, headers =>
         { 'Content-Encoding' => 'Identity' })],
     ['another type', $keys->(body => $set, headers =>
         { 'Content-Type' => 'text/plain' })],
     ['no length', $keys->(mode => 'raw', bytes =>
         "HTTP/1.0 200 OK\r\n\r\n$set")],
     ['keys at another origin',
      $named->($idp->{url}, "http://localhost:$idp->{port}/keys"),
      "discovery http://localhost:$idp->{port}$discovery"]) {
    my ($title, $how, @line) = @$_;

    $idp->discovers($set);
    $idp->on('/keys', body => $set);
    $how->($idp);
    my $gate = gate(\@line);
    is said($gate, $good), '200 ok', $title;
    $gate->stop;
}


# Who waits: only who comes before the first attempt has ended.

$idp->discovers($set, delay => 0.7);
$nginx = gate([], workers => 2);
my @said = parallel(8, sub { { said => said($nginx, $good) } });
is join(' ', map { $_->{said} } @said), join(' ', ('200 ok') x 8),
    'eight who come too early wait';
is $idp->count('/jwks') - scalar(grep { $_->{line} =~ m{ /jwks } } @before)
    > 0, 1, 'for the keys';
$nginx->stop;

$idp->on('/jwks', mode => 'stall');
$nginx = gate(['timeout 1s'], workers => 2);
@said = parallel(6, sub {
    my $since = time;
    my $said = said($nginx, $good);
    return { said => $said, took => time - $since };
});
is join(' ', map { $_->{said} } @said),
    join(' ', ('503 issuer_unavailable') x 6), 'but not longer than that';
is scalar(grep { $_->{took} > 2.5 } @said), 0, 'than its timeout';
my $since = time;
is said($nginx, $good), '503 issuer_unavailable', 'who comes later';
ok time - $since < 0.7, 'does not wait at all';
is $nginx->get('/', $good)->{headers}{'retry-after'}, 1, 'and may try again';
$idp->discovers($set);
is becomes($nginx, $good, '200 ok'), '200 ok', 'once it answers all is well';
like $nginx->log, qr/\[notice\].*are fetched from/, 'the log says so';
is scalar(() = $nginx->log =~ /cannot be fetched/g), 1,
    'and told of the trouble once';

# A failed refresh keeps what there is.
$idp->on('/jwks', status => 500);
is said($nginx, $other), '503 issuer_unavailable',
    'K11: an unknown key, and nobody to ask: nobody knows';
is said($nginx, $good), '200 ok', 'K11: a known one stays' for 1 .. 4;
is said($nginx, from($idp->{url}, sub => "u$_")), '200 ok',
    'for new tokens too' for 1 .. 4;
ok $nginx->wait_log(qr/cannot be fetched.* 500: the last good ones stay/),
    'the log says so';
ok $nginx->reload, 'after a reload';
is said($nginx, $good), '200 ok', 'they stay as well' for 1 .. 4;
$idp->discovers($set);
ok $nginx->wait_log(qr/are fetched from "\S+": 2, the same/, 10),
    'until it answers again';

# A worker that dies while it fetches leaves it to another.
$nginx->stop;
$idp->on('/jwks', mode => 'stall');
$nginx = gate(['timeout 1s'], workers => 2, expect => qr/exited on signal 9/);
$idp->discovers($set);
kill KILL => $nginx->all_workers(2);
is becomes($nginx, $good, '200 ok'), '200 ok', 'after a kill';
$nginx->stop;

# An end and a reload while somebody waits.
$idp->on('/jwks', body => $set, delay => 2);
$nginx = gate(['timeout 4s']);
my @c = map { my $c = $nginx->connect;
              $c->ask('GET', '/', token => $good); $c } 1 .. 3;
sleep 0.3;
ok $nginx->reload, 'a reload while three wait';
is join(' ', map { ($_->answer // { status => 'cut' })->{status} } @c),
    '200 200 200', 'who are told';
$nginx->stop;
$nginx = gate(['timeout 4s']);
@c = map { my $c = $nginx->connect;
           $c->ask('GET', '/', token => $good); $c } 1 .. 3;
sleep 0.3;
$_->reset for splice @c, 0, 2;
sleep 0.3;
$nginx->signal('QUIT');
is +($c[0]->answer // { status => 'cut' })->{status}, 200,
    'an end, when two of three have gone';
ok $nginx->stop, 'and then it ends';
ok !$nginx->trouble, 'without trouble';


# TLS: always verified.

my $data = ProxyUser::Token::DATA;
my $port = free_port();
my $web = start_nginx(bare => 1, http => <<"END");
server {
    listen 127.0.0.1:$port ssl;
    listen 127.0.0.2:$port ssl;
    ssl_certificate $data/tls-server.pem;
    ssl_certificate_key $data/tls-server.key;
    location / { default_type application/json; root $ENV{TEST_NGINX_TMP}; }
}
END
for (['the right certificate', 'localhost', "$data/tls-ca.pem", ''],
     ['an address in it', '127.0.0.1', "$data/tls-ca.pem", ''],
     ['of another authority', 'localhost', "$data/tls-other-ca.pem", '.+'],
     ['of nobody the system knows', 'localhost', '', '.+'],
     ['another name', '127.0.0.2', "$data/tls-ca.pem",
      'its certificate has another name']) {
    my ($title, $host, $ca, $why) = @$_;

    my $gate = gate(["jwks_uri https://$host:$port/jwks.json",
                     $ca ? "ca_file $ca" : (), 'timeout 2s'],
                    url => 'https://idp.example.com');
    is said($gate, token()), $why ? '503 issuer_unavailable' : '200 ok',
        "TLS: $title";
    like $gate->log, qr/cannot be fetched.*: $why: /, "$title: why" if $why;
    $gate->stop;
}


# Names. A resolver that never answers costs nobody else anything.

my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp')
    or die $!;
$nginx = gate(['jwks_uri https://keys.example/jwks', 'timeout 2s'],
              http => 'resolver 127.0.0.1:' . $silent->sockport
                      . " ipv6=off;\n", url => 'https://idp.example.com');
my $waits = $nginx->connect;
$waits->ask('GET', '/', token => token());
$since = time;
is $nginx->get('/open')->{status}, 200, 'in time' for 1 .. 20;
ok time - $since < 1, 'while a name server says nothing';
is $waits->answer->{status}, 503, 'who needs the name is told so';
like $nginx->log, qr/cannot be fetched.*: it has not answered in time/, 'and the log why';
$nginx->signal('QUIT');
ok $nginx->stop, 'the end does not wait for the name server';
ok !$nginx->trouble, 'without trouble';

# A resolver that does is asked, and its answer used.
my $dns = name_server($silent);
$idp->discovers($set);
$nginx = gate(["jwks_uri http://localhost:$idp->{port}/jwks"],
              http => 'resolver 127.0.0.1:' . $silent->sockport . ";\n");
is said($nginx, $good), '200 ok', 'localhost is no matter of name servers';
$nginx->stop;
$nginx = gate(["jwks_uri https://keys.example:$port/jwks.json", 'timeout 4s',
               "ca_file $data/tls-ca.pem"], url => 'https://idp.example.com',
              http => 'resolver 127.0.0.1:' . $silent->sockport
                      . " ipv6=off;\n");
is said($nginx, token()), '503 issuer_unavailable', 'a name that is known';
like $nginx->log, qr/cannot be fetched.*: its certificate has another name/,
    'leads to a server, which has another';
$nginx->stop;
$web->stop;
kill KILL => $dns;
waitpid $dns, 0;

# Every question for an address is answered with 127.0.0.1.
sub name_server {
    my ($socket) = @_;

    my $pid = fork // die "fork: $!\n";
    return $pid if $pid;
    alarm 60;
    while (my $from = $socket->recv(my $question, 512)) {
        my $name = substr $question, 12;
        $socket->send(substr($question, 0, 2) . "\x81\x80\0\1\0\1\0\0\0\0"
            . $name . "\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x7f\0\0\1", 0, $from);
    }

    POSIX::_exit(0);
}

done_testing;
