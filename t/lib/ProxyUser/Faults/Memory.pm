package ProxyUser::Faults::Memory;

# One allocation of a worker fails: the n-th since a request was sent, for
# every n until the request needs no more, by itself and with all that follow.
# nginx's pools are made so small that nearly every piece of one is an
# allocation of its own.
#
#   memory_world();                        Redis, nginx, the kinds of request
#   my @line = memory_faults(only => qr/token/, most => 60, each => sub {});
#
# A kind is let in or never let in; both are tried, for it is where memory is
# short that a check may be left out.

use strict;
use warnings;

use Crypt::PK::ECC;
use Digest::SHA qw(sha256 sha256_hex);
use Exporter qw(import);
use JSON::PP ();
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC);
use Time::HiRes qw(sleep time);

use ProxyUser;
use ProxyUser::Encrypt;
use ProxyUser::Events qw(event events_location);
use ProxyUser::Faults;
use ProxyUser::Store qw(as store_server within);

our @EXPORT = qw(memory_world memory_faults);

my $DATA = ProxyUser::Token::DATA;
my $SCIM = 'a-token-of-a-directory';
my $json = JSON::PP->new->utf8->canonical;
my ($redis, $nginx, $idp, $tls, $control, $pid, %user);
my $serial = 0;


sub memory_world {
    $redis = redis_start();
    start_backend();
    $tls = free_port();

    $control = write_file('memory', pack 'q5', (0) x 5);
    local $ENV{FAULT_MEMORY} = $control;
    local $ENV{LD_PRELOAD} = shim('memory');
    # What was given back is overwritten: who still uses it is found out.
    local $ENV{MALLOC_PERTURB_} = 165;

    users();
    $nginx = start_nginx(
        http => http(), server => server(), workers => 1,
        log_level => 'info',
        expect => qr/memalign|malloc|alloc|memory|SSL_|client|exited on/);
    ($pid) = $nginx->all_workers(1);
    return $nginx;
}


sub http {
    my $rsa = write_file('enc.key', encryption_jwk('rsa'));
    my $secret = write_file('client-secret', 'secret');

    $idp = fake_issuer();
    $idp->on('/active', body => $json->encode({ active => JSON::PP::true,
        aud => 'api', sub => 'alice', exp => 4102444800 }));
    $idp->on('/ended', body => '{"active":false}');

    return <<"END";
request_pool_size 256;
connection_pool_size 256;
keepalive_requests 1000000;
proxy_user_redis unix:\$TEST_NGINX_REDIS_SOCKET timeout=1s;
proxy_user_audit \$TEST_NGINX_TMP/memory-audit.log;
proxy_user_issuer idp {
    issuer @{[ issuer_url() ]};
    audience api;
    jwks_file \$TEST_NGINX_KEYS/jwks.json;
    role_map reader reader;
    role_map ops ops;
    default_role user;
}
proxy_user_issuer enc {
    issuer https://enc.example.com;
    audience api;
    jwks_file \$TEST_NGINX_KEYS/jwks.json;
    decryption_key_file $rsa;
}
proxy_user_issuer opaque {
    issuer https://opaque.example.com;
    audience api;
    jwks_file \$TEST_NGINX_KEYS/jwks.json;
    introspection $idp->{url}/active client_id=gate client_secret_file=$secret;
    timeout 1s;
}
proxy_user_issuer ended {
    issuer https://ended.example.com;
    audience api;
    jwks_file \$TEST_NGINX_KEYS/jwks.json;
    introspection $idp->{url}/ended client_id=gate client_secret_file=$secret;
    timeout 1s;
}
proxy_user_profile user {
    rate 100000r/s burst=100000;
    quota 1000000000 per month;
    concurrency 1000;
}
END
}


sub server {
    my $tokens = write_file('memory-scim', 'dir:' . sha256_hex($SCIM) . "\n");

    return store_server(<<"END");
listen 127.0.0.1:$tls ssl;
ssl_certificate $DATA/tls-server.pem;
ssl_certificate_key $DATA/tls-server.key;
ssl_client_certificate $DATA/tls-ca.pem;
ssl_verify_client optional;
proxy_user_credential bearer api_key=X-API-Key certificate;
proxy_user_accept idp enc opaque;
@{[ events_location() ]}
location = /ended { proxy_user_accept ended; try_files /index.html =404; }
location = /reader { proxy_user_role reader; try_files /index.html =404; }
location = /scope { proxy_user_scope write; try_files /index.html =404; }
location = /claim {
    proxy_user_require \$proxy_user_claim_tenant;
    try_files /index.html =404;
}
location = /assertion {
    proxy_user_assertion key=$DATA/ec256.pem;
    proxy_set_header X-Assertion \$proxy_user_assertion;
    proxy_pass \$TEST_NGINX_ECHO;
}
location = /explain { proxy_user_role ops; proxy_user_explain; }
location /scim/v2/ { proxy_user_scim token_file=$tokens; }
END
}


sub users {
    my $n = 0;

    for (['alice', roles => 'reader admin'], ['gone', state => 'suspended'],
         ['cold-gone', state => 'suspended'],
         ['watched'], ['late', expires => int(time) - 1000], ['old', epoch => 1800000000],
         ['service', roles => 'reader admin'],
         ['stopped', roles => 'reader admin', state => 'suspended']) {
        my ($sub, %more) = @$_;
        $user{$sub} = seed_user(id => user_id(++$n), sub => $sub, %more);
    }
}


# An API key of that user, never seen before.
sub api_key {
    my ($who, %field) = @_;

    my $head = sprintf 'puk_%010d_%s', ++$serial,
        b64u(sha256("key $serial"));
    my $key = $head . substr sha256_hex($head), 0, 6;
    add_handle('key', b64u(sha256($key)), $who,
               id => substr($key, 4, 10), %field);
    return $key;
}


sub add_handle {
    my ($kind, $digest, $who, %field) = @_;

    $redis->command('HSET', "{pu}:handle:$kind:$digest",
                    user => $user{$who}, state => 'active',
                    created => int time, %field);
    $redis->command('SADD', "{pu}:handles:$user{$who}", "$kind:$digest");
}


sub certificate {
    my $pem = read_file("$DATA/tls-client.pem");
    my ($text) = $pem =~ /-----BEGIN CERTIFICATE-----(.*?)-----END/s;
    return b64u(sha256(MIME::Base64::decode_base64($text)));
}


# What nginx is to forget: the change log names it.
sub forget {
    my ($who) = @_;

    change_user($user{$who}, 'update', on => $redis);
    sleep 0.02;
}


# Proofs of possession.

my %dpop;

sub dpop_key {
    my ($name) = @_;

    return $dpop{$name} //= do {
        my $pk = Crypt::PK::ECC->new;
        $pk->generate_key('secp256r1');
        my $jwk = $json->decode($pk->export_key_jwk('public'));
        $jwk = { map { $_ => $jwk->{$_} } qw(kty crv x y) };
        { pk => $pk, jwk => $jwk, jkt => b64u(sha256($json->encode($jwk))) };
    };
}


sub proof {
    my ($token, $by) = @_;

    my $text = join '.', map { b64u($json->encode($_)) }
        { typ => 'dpop+jwt', alg => 'ES256', jwk => $by->{jwk} },
        { jti => 'p' . ++$serial . rand, htm => 'GET', iat => time,
          htu => 'http://localhost/', ath => b64u(sha256($token)) };
    return "$text." . b64u($by->{pk}->sign_message_rfc7518($text, 'SHA256'));
}


sub dpop {
    my ($token, $by) = @_;

    return headers(Authorization => "DPoP $token",
                   DPoP => proof($token, dpop_key($by)));
}


sub bound {
    return as('alice', jti => 'b' . ++$serial,
              cnf => { jkt => dpop_key('own')->{jkt} });
}


sub headers {
    my @pair;

    push @pair, [splice @_, 0, 2] while @_;
    return (headers => \@pair);
}


sub key { headers('X-API-Key' => $_[0]) }

sub fresh { as($_[0], jti => 'j' . ++$serial, @_[1 .. $#_]) }

sub forged { tamper($_[0], 2, sub { $_[0] ^ "\1" }) }


# name, what is sent for the n-th time, right answer, options.
sub let_in {
    my ($name, $ask, %opt) = @_;

    return { name => $name, ask => $ask, right => qr/^200 ok$/, allow => 1,
             also => qr/^(?:500|503) /, %opt };
}


sub never {
    my ($name, $ask, $right, %opt) = @_;

    return { name => $name, ask => $ask, right => qr/^$right$/,
             also => qr/^[45]/, %opt };
}


sub kinds {
    my ($warm, $key) = (as('alice'), api_key('service'));
    my $gone = as('gone');
    my $capped = api_key('service', roles => 'reader');
    my $elsewhere = api_key('service', networks => '10.0.0.0/8');
    my $revoked = api_key('service', state => 'revoked');
    my $stopped = api_key('stopped');
    my $alice = { id => qr/^\Q$user{alice}\E$/ };
    my $service = { id => qr/^\Q$user{service}\E$/ };
    my $bound = bound();
    my $enc = 'https://enc.example.com';

    add_handle('cert', certificate(), 'service', roles => 'reader');
    $redis->command('SET', '{pu}:jti:' . b64u(sha256(
        issuer_url() . "\0" . 'revoked')), '1');

    return (
        let_in('a token, for the first time', sub {
            GET => '/', token => fresh('new-' . ++$serial,
                                       roles => ['reader']) }),
        let_in('a token that is known', sub { GET => '/', token => $warm },
               %$alice),
        let_in('a role of a token', sub {
            GET => '/reader', token => fresh('alice', roles => ['reader']) },
            %$alice),
        let_in('an API key, for the first time', sub {
            GET => '/', key(api_key('service')) }, %$service),
        let_in('an API key that is known', sub { GET => '/', key($key) },
               %$service),
        let_in('a certificate', sub { GET => '/' }, tls => 1, %$service),
        let_in('a certificate, asked for again', sub { GET => '/' },
               tls => 1, before => sub { forget('service') }, %$service),
        let_in('an encrypted token', sub {
            GET => '/', token => encrypt(fresh('alice', iss => $enc)) }),
        let_in('a proof of possession', sub {
            GET => '/', dpop($bound, 'own') }, %$alice),
        let_in('a bound token, for the first time', sub {
            GET => '/', dpop(bound(), 'own') }, %$alice),
        let_in('a token that is asked about', sub {
            GET => '/', token => 'opaque-' . ++$serial }),
        let_in('an event of a provider', sub {
            posted(event('session-revoked', sub => 'watched')) },
            right => qr/^202 /, before => sub { $redis->command('HDEL',
                "{pu}:user:$user{watched}", 'epoch') },
            check => sub { ($redis->command('HGET',
                "{pu}:user:$user{watched}", 'epoch') // 0) > 0 }),
        let_in('an assertion', sub { GET => '/assertion', token => $warm },
               check => \&assertion_ok),
        let_in('an explanation', sub {
            GET => '/explain?user=sub:' . issuer_url() . '%23alice&method=GET'
                . '&uri=/&host=localhost',
            token => as('ops', roles => ['ops']) }, check => sub {
                $_[0]{body} =~ /"decision":"(?:allow"|unknown","reason":"
                                (?:internal|store_unavailable)")/x }),
        let_in('a user made by SCIM', sub { scim($SCIM) },
               right => qr/^201 /, check => \&scim_ok,
               also => qr/^(?:500|503|409) /),

        never('a forged token', sub { GET => '/', token =>
            forged(fresh('alice')) }, '401 token_signature'),
        never('an expired token', sub { GET => '/', token =>
            fresh('alice', exp => time - 1000) }, '401 token_expired'),
        never('a token of nobody we know', sub { GET => '/', token =>
            fresh('alice', iss => 'https://else') }, '401 token_issuer'),
        never('a token for others', sub { GET => '/', token =>
            fresh('alice', aud => 'others') }, '401 token_audience'),
        never('a revoked token', sub { GET => '/closed', token =>
            as('alice', jti => 'revoked', n => ++$serial) },
            '401 token_revoked'),
        never('a revoked user', sub { GET => '/', token => fresh('old') },
              '401 token_revoked'),
        never('a suspended user', sub { GET => '/', token => $gone },
              '403 user_suspended'),
        never('a suspended user, asked for again', sub {
            GET => '/', token => fresh('cold-gone') }, '403 user_suspended',
            before => sub { forget('cold-gone') }),
        never('an expired user', sub { GET => '/', token => fresh('late') },
              '403 user_expired'),
        never('a role that is missing', sub {
            GET => '/reader', token => fresh('new-x') }, '403 role_missing'),
        never('a scope that is missing', sub { GET => '/scope', token =>
            fresh('alice', scope => 'read') }, '403 scope_missing'),
        never('a claim that is missing', sub { GET => '/claim',
            token => fresh('alice') }, '403 requirement_failed'),
        never('a revoked API key', sub { GET => '/', key($revoked) },
              '401 key_revoked'),
        never('an API key without the role', sub {
            GET => '/admin', key($capped) }, '403 role_missing'),
        never('an API key from another network', sub {
            GET => '/', key($elsewhere) }, '403 network_not_permitted'),
        never('an API key of a suspended user', sub {
            GET => '/', key($stopped) }, '403 user_suspended'),
        never('a certificate without the role', sub { GET => '/admin' },
              '403 role_missing', tls => 1),
        never('a token that is asked about and has ended', sub {
            GET => '/ended', token => 'ended-' . ++$serial }, '401 .*'),
        never('a forged event', sub {
            posted(forged(event('session-revoked', sub => 'watched'))) },
            '400 .*'),
        never('an encrypted forged token', sub {
            GET => '/', token => encrypt(forged(fresh('alice',
                                                      iss => $enc))) },
            '401 token_signature'),
        never('a proof by another key', sub {
            GET => '/', dpop($bound, 'other') }, '401 token_binding'),
        never('a bound token without a proof', sub {
            GET => '/', token => bound() }, '401 token_binding'),
        never('an explanation for a stranger', sub {
            GET => '/explain?user=' . $user{gone} . '&method=GET&uri=/'
                . '&host=localhost', token => $warm }, '403 role_missing'),
        never('an explanation about a suspended user', sub {
            GET => '/explain?user=' . $user{gone} . '&method=GET&uri=/'
                . '&host=localhost',
            token => as('ops', roles => ['ops']) }, '200 ok', allow => 1,
            check => sub { $_[0]{body} !~ /"decision":\s*"allow"/ }),
        never('SCIM with a wrong token', sub { scim("$SCIM-2") }, '401 .*'),
    );
}


sub posted {
    my ($token) = @_;

    return ('POST', '/events', body => $token, headers => [
        ['Content-Type' => 'application/secevent+jwt']]);
}


# None at all, or one that is whole.
sub assertion_ok {
    my ($answer) = @_;

    my ($text) = $answer->{body} =~ /^X-Assertion: (.*)\r$/m or return 1;
    my $said = eval { $json->decode(unb64u((split /\./, $text)[1])) };
    return $said && $said->{sub} eq $user{alice};
}


sub scim {
    my ($token) = @_;

    my $body = $json->encode({
        schemas => ['urn:ietf:params:scim:schemas:core:2.0:User'],
        userName => 'scim-' . ++$serial . '@example.com',
        name => { familyName => 'Lovelace' }, active => JSON::PP::true });
    return ('POST', '/scim/v2/Users', token => $token, body => $body,
            headers => [['Content-Type' => 'application/scim+json']]);
}


# Whoever is said to be made is there.
sub scim_ok {
    my ($answer) = @_;

    my $said = eval { $json->decode($answer->{body}) } or return 0;
    return ($redis->command('HGET', "{pu}:user:$said->{id}", 'state') // '')
        eq 'active';
}


sub arm {
    my ($at, $on) = @_;

    poke(pack 'q5', $pid, $at, $on, 0, 0);
}


# How many allocations there were.
sub disarm {
    my ($count, $who) = unpack 'x24q2', read_file($control);

    poke(pack 'q', 0);
    return ($count, $who);
}


sub poke {
    my ($bytes) = @_;

    open my $out, '+<:raw', $control or die "$control: $!\n";
    syswrite $out, $bytes;
    close $out;
}


my %connection;

sub connection {
    my ($kind) = @_;

    my $which = $kind->{tls} ? 'tls' : 'plain';
    return $connection{$which} //= $kind->{tls} ? tls_client()
                                                : $nginx->connect;
}


sub lose {
    my ($kind) = @_;

    my $c = delete $connection{ $kind->{tls} ? 'tls' : 'plain' } or return;
    $c->close;
    if (my $child = $c->{child}) {
        kill KILL => $child;
        waitpid $child, 0;
    }
}


# A client that shows its certificate: openssl's, on a socket of ours.
sub tls_client {
    socketpair my $ours, my $its, AF_UNIX, SOCK_STREAM, PF_UNSPEC
        or die "socketpair: $!\n";
    my $child = fork // die "fork: $!\n";

    if ($child == 0) {
        open STDIN, '<&', $its;
        open STDOUT, '>&', $its;
        open STDERR, '>', '/dev/null';
        { exec ProxyUser::Redis::mortal('KILL'), qw(openssl s_client -quiet),
          '-connect', "127.0.0.1:$tls", '-cert', "$DATA/tls-client.pem",
          '-key', "$DATA/tls-client.key" }
        POSIX::_exit(127);
    }

    close $its;
    $ours->autoflush;
    my $c = bless { socket => $ours, buffer => '', child => $child },
        'ProxyUser::Connection';

    # The handshake is not what is looked at.
    $c->ask('GET', '/open');
    $c->answer(timeout => 10) or die "no TLS: ", $nginx->log;
    return $c;
}


# One answer over the kept connection, and seconds.
sub exchange {
    my ($kind, $c, @ask) = @_;

    my ($method, $uri, %opt) = @ask;
    my $start = time;
    $c->ask($method, $uri, %opt);
    my $answer = $c->answer(timeout => 10);
    lose($kind) if !$answer
        || ($answer->{headers}{connection} // '') eq 'close';
    return ($answer, time - $start);
}


# One fault. True when it was the last one: nothing was left to fail.
sub one {
    my ($line, $kind, $n, $on) = @_;

    $kind->{before}->() if $kind->{before};
    my @ask = $kind->{ask}->();
    my $c = connection($kind);

    arm($n, $on);
    my ($answer, $seconds) = exchange($kind, $c, @ask);
    my ($count, $who) = disarm();

    my $before = $line->bad;
    $line->judge($kind, $answer, $seconds);
    $line->note("allocation $n: " . ($answer ? $answer->{body} : 'none'))
        if $line->bad > $before;

    if (!$answer && gone($pid)) {
        $line->note("$kind->{name}: crashed at allocation $n"
                    . ($on ? ' and all that follow' : ''));
        lose($_) for { tls => 1 }, {};
        ($pid) = new_worker($pid);
        return 0;
    }

    return $count < $n;
}


# The master takes a moment to see that somebody has died.
sub gone {
    my ($pid) = @_;

    return defined within(0.05, sub { !kill(0, $pid)
        || read_file("/proc/$pid/stat") =~ /^\d+ \(.*\) Z/s });
}


sub new_worker {
    my ($old) = @_;

    my @now;
    within(20, sub { @now = grep { $_ != $old } $nginx->workers })
        // die "nginx has no worker\n", $nginx->log;
    return @now;
}


sub well {
    my ($line, $kind) = @_;

    my ($got, $first) = ('');
    my $s = within(5, sub {
        my ($answer) = exchange($kind, connection($kind), $kind->{ask}->());
        $got = $answer ? "$answer->{status} "
            . ($answer->{headers}{'x-reason'} // '') : 'no answer';
        $line->{sent}++;
        $line->{allowed}++, $line->note("$kind->{name}: later $got")
            if $answer && ProxyUser::Faults::let_in($answer)
            && !ProxyUser::Faults::may_enter($kind, $answer);
        return $got =~ $kind->{right};
    });

    if (!defined $s) {
        $line->{lost} = 1;
        $line->note("$kind->{name}: not well again: $got");
    }

    my $ms = int 1000 * ($s // 5);
    $line->{back} = $ms if $ms > ($line->{back} // 0);
}


# only: a pattern of names. most: no n beyond it. step: every n-th only.
sub memory_faults {
    my (%opt) = @_;

    my @line;
    my @kind = grep { "memory: $_->{name}" =~ ($opt{only} // qr/./) }
        kinds();

    for my $kind (@kind) {
        well(new_line('warm', nginx => $nginx), $kind) for 1 .. 2;
        my $line = new_line("memory: $kind->{name}", nginx => $nginx,
                            excused => 1, limit => 3, changing => 1);

        for my $on (0, 1) {
            my $n = 1;
            for (; $n <= ($opt{most} // 3000); $n += $opt{step} // 1) {
                my $last = one($line, $kind, $n, $on);
                well($line, $kind);
                last if $line->{lost} || $last;
            }
            $line->{allocations} = $n unless $on;
        }

        $line->count_crashes;
        push @line, $line;
        $opt{each}->($line) if $opt{each};
    }

    lose($_) for { tls => 1 }, {};
    return @line;
}


1;
