# A provider rotates its keys, and nobody who has a good token notices: a real
# oidc-provider, found by its url alone, while two workers are under load. A
# key that is gone counts no more, for cached tokens too. And what makes an
# issuer's settings stricter is in force at once after a reload.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use Crypt::PK::ECC;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Test::More;

use Time::HiRes qw(sleep time);

my $json = JSON::PP->new->canonical->utf8;
my $port = free_port();
my $url = "http://127.0.0.1:$port";
my $log = "$ENV{TEST_NGINX_TMP}/asked";
my ($provider, @pipe);

END {
    if ($provider) {
        local $?;
        kill KILL => $provider;
        waitpid $provider, 0;
    }
}


# The provider, again with these keys of its own.

my %key = map { $_ => new_key($_) } qw(k1 k2 k3);

sub new_key {
    my ($kid) = @_;

    my $pk = Crypt::PK::ECC->new;
    $pk->generate_key('secp256r1');
    my $jwk = $json->decode($pk->export_key_jwk('private'));
    return { %$jwk, kid => $kid, alg => 'ES256', use => 'sig' };
}

sub provide {
    my (@kid) = @_;

    if ($provider) {
        kill TERM => $provider;
        waitpid $provider, 0;
    }

    my $keys = write_file('keys.json',
                          $json->encode({ keys => [@key{@kid}] }));
    write_file($log, '');
    $provider = open my $out, '-|';
    die "fork: $!\n" unless defined $provider;

    if ($provider == 0) {
        open STDERR, '>', "$ENV{TEST_NGINX_TMP}/provider.log";
        { exec ProxyUser::Redis::mortal('KILL'), 'tools/node',
          't/npm/provider.mjs', $port, $keys, $log }
        POSIX::_exit(127);
    }

    readline($out) // die 'the provider does not start: ',
        read_file("$ENV{TEST_NGINX_TMP}/provider.log");

    # Whoever closes a pipe waits for its other end.
    push @pipe, $out;
    return 1;
}

sub asked { scalar grep { $_ eq $_[0] } split /\n/, read_file($log) }

# An access token, as any client gets one.
sub granted {
    my $body = 'grant_type=client_credentials&scope=read'
        . '&resource=https://api.example.com';
    my $socket = IO::Socket::INET->new("127.0.0.1:$port") or die "$url: $!\n";

    print $socket "POST /token HTTP/1.0\r\n",
        'Authorization: Basic ', MIME::Base64::encode('job:job-secret', ''),
        "\r\nContent-Type: application/x-www-form-urlencoded\r\n",
        'Content-Length: ', length $body, "\r\n\r\n$body";
    my $text = do { local $/; <$socket> };
    my ($token) = $text =~ /"access_token":"([^"]+)"/
        or die "no token: $text\n";
    return $token;
}

sub kid_of {
    return $json->decode(unb64u((split /\./, $_[0])[0]))->{kid};
}


# The gate.

sub gate {
    return start_nginx(workers => 2, http => <<"END", location => <<'CONF');
proxy_user_issuer found {
    issuer $url;
    audience https://api.example.com;
}
END
add_header X-Reason $proxy_user_reason always;
add_header X-Token-Cache $proxy_user_token_cache always;
add_header X-Pid $pid always;
proxy_user on;
proxy_pass $TEST_NGINX_BACKEND;
CONF
}

# How often each answer came, of all these tokens, $n times.
sub answers {
    my ($nginx, $n, @token) = @_;

    my (%count, $c);
    for (1 .. $n) {
        for my $token (@token) {
            $c //= $nginx->connect;
            $c->ask('GET', '/', token => $token);
            my $a = $c->answer // { status => 'none', headers => {} };
            $count{"$a->{status} " . ($a->{headers}{'x-reason'} // '')}++;
            undef $c unless ($a->{headers}{connection} // '')
                eq 'keep-alive';
        }
    }

    return \%count;
}

# Several at once, each with a connection of its own.
sub at_once {
    my ($n, $code) = @_;

    my %sum;
    for my $count (parallel($n, $code)) {
        $sum{$_} += $count->{$_} for keys %$count;
    }

    return \%sum;
}

# Asks with every token that there is, until it is told to stop, at most 30 s.
sub start_load {
    my ($nginx, $n) = @_;

    my @file = map { "$ENV{TEST_NGINX_TMP}/load.$_" } 1 .. $n;
    my @pid = map { my $file = $_; fork // die "fork: $!\n" or do {
        my ($end, %sum) = (time + 30);
        until (-f "$file.stop" || time > $end) {
            my @token = split /\n/, read_file("$ENV{TEST_NGINX_TMP}/tokens");
            my $count = answers($nginx, 5, @token);
            $sum{$_} += $count->{$_} for keys %$count;
        }
        write_file("$file.new", $json->encode(\%sum));
        rename "$file.new", $file;
        POSIX::_exit(0);
    } } @file;

    return { pid => \@pid, file => \@file };
}

sub end_load {
    my ($load) = @_;

    write_file("$_.stop", '') for @{ $load->{file} };
    waitpid $_, 0 for @{ $load->{pid} };

    my %sum;
    for my $count (map { $json->decode(read_file($_)) } @{ $load->{file} }) {
        $sum{$_} += $count->{$_} for keys %$count;
    }

    return \%sum;
}

sub offer {
    write_file("$ENV{TEST_NGINX_TMP}/tokens.new", join "\n", @_);
    rename "$ENV{TEST_NGINX_TMP}/tokens.new", "$ENV{TEST_NGINX_TMP}/tokens";
}


my (@old, @new);

subtest 'K11: a rotation under load, without a refused request' => sub {
    provide('k1');
    @old = map { granted() } 1 .. 3;
    is kid_of($old[0]), 'k1', 'the first key signs';

    my $nginx = gate();
    is_deeply at_once(4, sub { answers($nginx, 2, @old) }),
        { '200 ok' => 24 }, 'found by its url alone';
    is asked('/.well-known/openid-configuration'), 1, 'which is asked once';
    is asked('/jwks'), 1, 'and its keys once, for both workers';

    offer(@old);
    my $load = start_load($nginx, 3);
    sleep 0.5;
    provide('k2', 'k1');
    @new = map { granted() } 1 .. 3;
    is kid_of($new[0]), 'k2', 'another key signs';

    is_deeply at_once(8, sub { answers($nginx, 1, @new) }),
        { '200 ok' => 24 }, 'new tokens are good, in all workers at once';
    is asked('/jwks'), 1, 'K10: for which the keys were fetched once';
    offer(@old, @new);
    sleep 0.5;

    my $sum = end_load($load);
    is join(' ', sort keys %$sum), '200 ok', 'nobody was refused';
    cmp_ok $sum->{'200 ok'} // 0, '>', 30,
        "of those who went on meanwhile ($sum->{'200 ok'})";
    is asked('/jwks'), 1, 'and there was no further fetch';
    is scalar(() = $nginx->log =~ /are fetched/g), 2, 'the log tells of two';
    unlike $nginx->log, qr/\[(?:warn|error)\]/, 'and of no trouble';
    $nginx->stop;
};


subtest 'K11: a key that is gone, for tokens that were known' => sub {
    my ($gone, $stays) = ($old[0], $new[0]);
    my $nginx = gate();
    answers($nginx, 10, $gone, $stays) for 1, 2;
    is $nginx->get('/', $_)->{headers}{'x-token-cache'}, 'hit', 'both are known'
        for $gone, $stays;

    provide('k3', 'k2');
    is_deeply answers($nginx, 20, $gone), { '200 ok' => 20 },
        'nobody has asked for keys since';
    my $new = granted();
    is_deeply at_once(4, sub { answers($nginx, 1, $new) }),
        { '200 ok' => 4 }, 'until there is a new one';
    is asked('/jwks'), 1, 'K10: which is asked for once';

    is_deeply at_once(4, sub { answers($nginx, 5, $gone) }),
        { '401 token_key_unknown' => 20 }, 'then the old one is no more';
    is_deeply at_once(4, sub { answers($nginx, 5, $stays, $new) }),
        { '200 ok' => 40 }, 'the others are';
    is asked('/jwks'), 1, 'and a key that nobody has is not asked for again';
    $nginx->stop;
};


# A reload: what is stricter counts for tokens that were known before. One
# issuer for each setting, all of them changed at once.

my $now = time;
my $one_key = write_file('one.json', jwks(jwk('ec256')));

my @strict = (
    ['nothing', {}, 'ok'],
    ['another audience', { audience => 'other' }, 'token_audience'],
    ['the audience elsewhere', { audience_claim => 'client_id' },
     'token_audience'],
    ['fewer algorithms', { algorithms => 'ES256' }, 'token_algorithm'],
    ['less leeway', { leeway => '10s' }, 'token_expired'],
    ['another type', { token_type => 'at+jwt' }, 'token_type'],
    ['younger ones', { max_age => '60s', leeway => '200s' },
     'token_too_old'],
    ['a claim', { claim => 'level 2' }, 'token_claims'],
    ['another subject', { subject => 'uid' }, 'token_claims'],
    ['another issuer', { issuer => 'https://other.example.com' },
     'token_issuer'],
    ['fewer keys', { jwks_file => $one_key }, 'token_key_unknown'],
);

sub strict_gate {
    my ($strict) = @_;

    my $http = "proxy_user_zone 2m;\n";
    for my $i (0 .. $#strict) {
        my %line = (
            issuer => "https://i$i.example.com", audience => 'api',
            leeway => '300s', jwks_file => '$TEST_NGINX_KEYS/jwks.json',
            $strict ? %{ $strict[$i][1] } : ());
        $http .= join "\n", "proxy_user_issuer i$i {",
            (map { "$_ $line{$_};" } sort keys %line), "}\n";
    }

    return (workers => 2, http => $http, location => <<'END');
add_header X-Reason $proxy_user_reason always;
add_header X-Token-Cache $proxy_user_token_cache always;
proxy_user on;
proxy_pass $TEST_NGINX_BACKEND;
END
}

subtest 'L12: stricter settings count at once for tokens that were known' =>
sub {
    my @token = map { token(claims => {
        iss => "https://i$_.example.com", level => 1, iat => $now - 600,
        exp => $now - 100 }) } 0 .. $#strict;
    my $nginx = start_nginx(strict_gate(0));

    is_deeply at_once(2, sub { answers($nginx, 5, @token) }),
        { '200 ok' => 10 * @token }, 'all are good before';
    is $nginx->get('/', $token[$_])->{headers}{'x-token-cache'}, 'hit',
        "$strict[$_][0]: known" for 0 .. $#strict;

    $nginx->configure(strict_gate(1));
    ok $nginx->reload, 'a reload';

    for my $i (0 .. $#strict) {
        my ($title, undef, $want) = @{ $strict[$i] };
        $want = $want eq 'ok' ? '200 ok' : "401 $want";
        is_deeply answers($nginx, 4, $token[$i]), { $want => 4 },
            "$title: $want";
    }

    $nginx->stop;
};

done_testing;
