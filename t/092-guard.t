# The guard: who fails too often from one address waits, before anything is
# verified; whose token is known is not kept waiting by his neighbour, and who
# only comes too late or with nothing is not counted.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Store;
use Test::More;

use Digest::SHA qw(sha256_hex);
use Time::HiRes qw(sleep time);

# Nothing comes back while a test runs.
my $GUARD = "proxy_user_guard rate=1r/m burst=4;\n";

# Clients have whatever address they say.
my $REAL = 'set_real_ip_from 127.0.0.1; real_ip_header X-Client;';

my $good = token();
my $forged = token(key => 'rsa2', kid => 'rsa1');

# The verdict on a credential that comes from an address.
sub from {
    my ($nginx, $address, $token, $uri) = @_;

    my $r = answer_of($nginx->ask('GET', $uri // '/', headers => [
        ['X-Client' => $address],
        defined $token ? [Authorization => "Bearer $token"] : ()]));
    return wantarray ? $r : "$r->{status} $r->{reason}";
}

# Fails as often as it may.
sub failing {
    my ($nginx, $address, $n) = @_;

    return join ' ', map {
        (from($nginx, $address, $forged))[0]{status}
    } 1 .. $n // 5;
}

# Another token of the same user: nobody has seen it.
my $fresh = 0;
sub fresh { token(claims => { sub => 'alice', jti => 'j-' . ++$fresh, @_ }) }

sub guarded {
    my (%opt) = @_;
    return store_nginx(url => undef, http => "$GUARD$REAL\n"
                       . ($opt{http} // ''), server => $opt{server},
                       workers => 2);
}


subtest 'one address' => sub {
    my $nginx = guarded();

    is from($nginx, '192.0.2.1', $good), '200 ok', 'a good token';
    is failing($nginx, '192.0.2.1'), '401 401 401 401 401', 'five bad ones';
    my ($r) = from($nginx, '192.0.2.1', $forged);
    is "$r->{status} $r->{reason}", '429 too_many_failures', 'not six';
    is_deeply [@{ $r->{headers} }{qw(ratelimit-policy ratelimit)}],
        ['"failures";q=1;w=60',
         "\"failures\";r=0;t=$r->{headers}{'retry-after'}"],
        'and is told when to come again';
    cmp_ok $r->{headers}{'retry-after'}, '>', 30, 'later';
    cmp_ok $r->{headers}{'retry-after'}, '<=', 60, 'but not much later';
    ok !defined $r->{headers}{'www-authenticate'}, 'it is no challenge';
    is $r->{id}, '', 'nobody is named';

    is from($nginx, '192.0.2.1', $good), '200 ok',
        'a token that is known passes';
    is from($nginx, '192.0.2.1', fresh()), '429 too_many_failures',
        'one that nobody has seen waits, however good';
    is from($nginx, '192.0.2.1'), '401 no_credential',
        'who has none is asked for one';
    is from($nginx, '192.0.2.1', undef, '/open'), '200 ',
        'what is open is open';
    is from($nginx, '192.0.2.2', fresh()), '200 ok', 'a neighbour is not it';
    is failing($nginx, '192.0.2.2', 1), '401', 'and has his own';

    # While it waits nothing grows.
    my ($before) = from($nginx, '192.0.2.1', $forged);
    failing($nginx, '192.0.2.1', 30);
    my ($after) = from($nginx, '192.0.2.1', $forged);
    cmp_ok $after->{headers}{'retry-after'}, '<=',
        $before->{headers}{'retry-after'}, 'waiting is not made longer';

    ok $nginx->reload, 'reload';
    is from($nginx, '192.0.2.1', fresh()), '429 too_many_failures',
        'is no way out';
    is from($nginx, '192.0.2.1', $good), '200 ok', 'nor for the good';
};


subtest 'what counts' => sub {
    my $redis = redis_start();
    seed_user(id => user_id(1), sub => 'revoked', epoch => int time);
    seed_user(id => user_id(2), sub => 'bad', state => 'suspended');
    my $nginx = store_nginx(http => "$GUARD$REAL\n", server => <<'END');
large_client_header_buffers 4 32k;
location = /any {
    satisfy any; allow all; try_files /index.html =404;
}
END
    warm($nginx);
    my $n = 0;

    # Six times the same, from an address of its own; the last is told.
    my $six = sub {
        my ($token, $uri, @header) = @_;
        my $address = '192.0.3.' . ++$n;
        my $last;
        $last = from($nginx, $address, ref $token ? $token->() : $token,
                     $uri) for 1 .. 6;
        return $last;
    };

    my $now = int time;
    my %counts = (
        'no token at all' => 'x', 'two parts' => 'a.b',
        'forged' => $forged, 'of nobody' => token(claims => { iss => 'x' }),
        'for others' => token(claims => { aud => 'others' }),
        'none' => b64u('{"alg":"none"}') . '.e30.',
    );
    is $six->($counts{$_}), '429 too_many_failures', "counts: $_"
        for sort keys %counts;

    # That token is known: it is counted, but passes.
    my $revoked = token(claims => { sub => 'revoked', iat => $now - 9 });
    is $six->($revoked), '401 token_revoked', 'a known one passes';
    is from($nginx, "192.0.3.$n", fresh()), '429 too_many_failures',
        'but its failures count';
    is $six->('x' x 17000), '401 token_too_large',
        'nothing is done with one that is too large';
    is from($nginx, "192.0.3.$n", fresh()), '429 too_many_failures',
        'but it counts';

    is $six->(sub { fresh(exp => $now - 3600, iat => $now - 7200) }),
        '401 token_expired', 'does not: too late';
    is $six->(sub { fresh(nbf => $now + 3600) }), '401 token_not_yet_valid',
        'too early';
    is $six->(undef), '401 no_credential', 'nothing';
    is $six->('a b'), '400 credential_malformed', 'a malformed request';
    is $six->(sub { token(claims => { sub => 'bad', jti => rand }) }),
        '403 user_suspended', 'a user who may not';
    is $six->(sub { fresh() }, '/admin'), '403 role_missing',
        'a role that is missing';

    is $six->($forged, '/any'), '200 ',
        'where an address alone lets in, nobody is asked';
    $redis->stop;
};


subtest 'addresses' => sub {
    my $nginx = guarded();

    failing($nginx, '2001:db8:1:2::1');
    is from($nginx, '2001:db8:1:2::1', fresh()), '429 too_many_failures',
        'of IPv6';
    is from($nginx, '2001:db8:1:2:ffff::9', fresh()),
        '429 too_many_failures', 'a network of 64 bits is one';
    is from($nginx, '2001:db8:1:3::1', fresh()), '200 ok',
        'another network is another';

    failing($nginx, '::ffff:192.0.2.7');
    is from($nginx, '::ffff:192.0.2.8', fresh()), '200 ok',
        'IPv4 in IPv6: not all of it is one network';
    is from($nginx, '::ffff:192.0.2.7', fresh()), '429 too_many_failures',
        'each has its own';
    is from($nginx, '192.0.2.7', fresh()), '429 too_many_failures',
        'which is that of IPv4';

    # Many addresses: the first is still known.
    failing($nginx, '198.51.100.1');
    failing($nginx, "198.51.$_.9", 1) for 101 .. 200;
    is from($nginx, '198.51.100.1', fresh()), '429 too_many_failures',
        'a hundred others do not help';
};


subtest 'a unix socket has no address' => sub {
    my $socket = "$ProxyUser::Nginx::tmp/guard.sock";
    my $nginx = store_nginx(url => undef, http => <<"END" . $GUARD);
server {
    listen unix:$socket;
    proxy_user on;
    location / { return 204; }
    location = /in { try_files /index.html =404; }
}
END
    my %got;
    for (1 .. 20) {
        my $c = IO::Socket::UNIX->new($socket) or die "socket: $!\n";
        print $c "GET /in HTTP/1.0\r\nAuthorization: Bearer $forged\r\n\r\n";
        my ($status) = join('', <$c>) =~ m{^HTTP/1.1 (\d+)};
        $got{$status}++;
    }
    is_deeply \%got, { 401 => 20 }, 'and is not guarded';
};


subtest 'the directive' => sub {
    my $nginx = store_nginx(url => undef, http => "$GUARD$REAL\n",
                            server => <<'END');
location = /off { proxy_user_guard off; try_files /index.html =404; }
location = /tight {
    proxy_user_guard rate=1r/m;
    try_files /index.html =404;
}
location = /to-off { error_page 429 /off; try_files /index.html =404; }
location = /report-page {
    error_page 429 /why;
    try_files /index.html =404;
}
location = /why { proxy_user off; internal; return 429 "slow down\n"; }
END
    failing($nginx, '192.0.2.1');
    is from($nginx, '192.0.2.1', fresh(), '/off'), '200 ok',
        'off is off';
    is from($nginx, '192.0.2.1', $forged, '/off'), '401 token_signature',
        'there a bad one is bad';
    is from($nginx, '192.0.2.1', fresh(), '/tight'),
        '429 too_many_failures', 'failures are those of the address';
    my ($r) = from($nginx, '192.0.2.1', $forged, '/report-page');
    is "$r->{status} $r->{body}", "429 slow down\n", 'in its own words';
    like $r->{headers}{ratelimit}, qr/^"failures";r=0;t=\d+$/,
        'with the headers';

    is from($nginx, '192.0.2.9', $forged, '/tight'), '401 token_signature',
        'without a burst: one';
    is from($nginx, '192.0.2.9', $forged, '/tight'),
        '429 too_many_failures', 'and no more';

    my @wrong = ('', 'on', 'rate=', 'rate=0r/s', 'rate=5', 'rate=5r/h',
                 'rate=-1r/s', 'rate=1000001r/s', 'rate=5r/s burst=',
                 'rate=5r/s burst=-1', 'rate=5r/s burst=x', 'burst=5',
                 'burst=5 rate=5r/s', 'rate=5r/s off', 'off rate=5r/s',
                 'rate=5r/s burst=1 x', '5r/s');
    for my $value (@wrong) {
        my ($ok, $text) = nginx_t(http => "proxy_user_guard $value;");
        ok !$ok && $text =~ /proxy_user_guard/, "refused: \"$value\"";
        like $text, qr/\[emerg\] .*"\Q$value\E", allowed are/,
            'and told what is allowed' if $value =~ /=.*[^x]$/
                && $value !~ /burst=1 x/;
    }
    my ($ok, $text) = nginx_t(http => "$GUARD$GUARD");
    ok !$ok && $text =~ /is duplicate/, 'refused: twice';
    ($ok) = nginx_t(http => 'proxy_user_guard rate=5r/s burst=0;',
        server => 'proxy_user_guard off;',
        location => 'proxy_user_guard rate=1000000r/m burst=1000000;');
    ok $ok, 'allowed: everywhere';
    ($ok) = nginx_t(location => 'limit_except GET { proxy_user_guard off; }');
    ok $ok, 'in limit_except too';

    store_nginx(url => undef)->stop;
};


# 43 characters that nobody has been given, and the check that fits.
sub some_key {
    my $text = sprintf 'puk_%010d_%s', $_[0], 'A' x 43;
    return $text . substr sha256_hex($text), 0, 6;
}

subtest 'keys' => sub {
    my $redis = redis_start();
    my $nginx = store_nginx(http => "$GUARD$REAL\n", server => <<'END');
location = /key {
    proxy_user_credential bearer api_key=X-API-Key;
    try_files /index.html =404;
}
END
    warm($nginx);
    my $ask = sub {
        my ($address, $key) = @_;
        my $r = answer_of($nginx->ask('GET', '/key', headers => [
            ['X-Client' => $address], ['X-API-Key' => $key]]));
        return "$r->{status} $r->{reason}";
    };

    is $ask->('192.0.2.1', some_key($_)), '401 key_unknown', 'unknown'
        for 1 .. 5;
    my @did = changed(sub {
        is $ask->('192.0.2.1', some_key(6)), '429 too_many_failures',
            'a sixth is not looked for';
    });
    is scalar(grep { $_ eq 'evalsha' } @did), 0, 'Redis is not asked';
    is $ask->('192.0.2.1', some_key(1)), '429 too_many_failures',
        'nor is one that is known not to be there';
    is $ask->('192.0.2.1', 'puk_x'), '429 too_many_failures',
        'nor looked at, in any form';
    is $ask->('192.0.2.2', some_key(1)), '401 key_unknown',
        'elsewhere it is unknown';
    $redis->stop;
};


# What takes other credentials than users have counts for the same addresses.
subtest 'directories and events' => sub {
    my $redis = redis_start();
    my $file = write_file('scim-tokens', 'okta:' . sha256_hex('x') . "\n");
    my $nginx = store_nginx(http => "$GUARD$REAL\n", server => <<"END");
location /scim/v2/ { proxy_user_scim token_file=$file; }
location = /events { proxy_user_events issuer=idp; }
END
    warm($nginx);
    my $ask = sub {
        my ($address, $method, $uri, $body, @header) = @_;
        return $nginx->ask($method, $uri, headers => [
            ['X-Client' => $address], @header], body => $body);
    };
    my $scim = sub {
        my ($address, $token) = @_;
        return $ask->($address, 'GET', '/scim/v2/Users', undef,
            defined $token ? [Authorization => $token] : ());
    };
    my $push = sub {
        return $ask->($_[0], 'POST', '/events', $_[1],
                      ['Content-Type' => 'application/secevent+jwt']);
    };
    my $many = sub {
        my ($code, @arg) = @_;
        return join ' ', map { $code->(@arg)->{status} } 1 .. 6;
    };

    is $many->($scim, '192.0.2.1', 'Bearer y'), '401 401 401 401 401 429',
        'a directory with a wrong token';
    my $r = $scim->('192.0.2.1', 'Bearer y');
    like $r->{headers}{ratelimit}, qr/^"failures";r=0;t=\d+$/,
        'is told when to come again';
    like $r->{body}, qr/"status":"429"/, 'in the words of SCIM';
    ok !defined $r->{headers}{'www-authenticate'}, 'it is no challenge';
    is $scim->('192.0.2.1', 'Bearer x')->{status}, 200,
        'with the right one it passes';
    is from($nginx, '192.0.2.1', fresh()), '429 too_many_failures',
        'an address is one for all';
    is $many->($scim, '192.0.2.2'), '401 401 401 401 401 401', 'no token';
    is $many->($scim, '192.0.2.2', 'Basic eDp5'),
        '401 401 401 401 401 401', 'another scheme is none';

    my $set = sub { token(header => { typ => 'secevent+jwt' }, claims => {
        iat => int time, exp => undef, sub => undef, jti => "j-" . rand, @_ }) };
    is $many->($push, '192.0.2.3', $forged), '400 400 400 400 400 429',
        'events that nobody has signed';
    is $push->('192.0.2.3', $set->(events => { 'urn:x' => {} }))->{status},
        429, 'a good one has to wait: nothing is verified';
    like $push->('192.0.2.3', 'x')->{headers}{ratelimit},
        qr/^"failures";r=0;t=\d+$/, 'and is told for how long';
    is $push->('192.0.2.4', $set->(events => { 'urn:x' => {} }))->{status},
        202, 'not one from elsewhere';
    is $many->($push, '192.0.2.4', $set->()), '400 400 400 400 400 400',
        'who is the issuer and makes a mistake is nobody who tries';
    is $many->($push, '192.0.2.4', ''), '400 400 400 400 400 400',
        'nor is who has nothing';
    is $push->('192.0.2.4', $set->(events => { 'urn:x' => {} }))->{status},
        202, 'and still comes in';
    $redis->stop;
};


subtest 'nothing is refused in report mode' => sub {
    my $nginx = store_nginx(url => undef, http => "$GUARD$REAL\n",
                            server => <<'END');
location = /report { proxy_user_mode report; try_files /index.html =404; }
END
    my %got;
    $got{ from($nginx, '192.0.2.1', $forged, '/report') }++ for 1 .. 8;
    is_deeply \%got, { '200 token_signature' => 5,
                       '200 too_many_failures' => 3 }, 'but counted';
    my ($r) = from($nginx, '192.0.2.1', $forged, '/report');
    ok !defined $r->{headers}{'retry-after'}, 'nobody is told to wait';
    is from($nginx, '192.0.2.1', fresh()), '429 too_many_failures',
        'elsewhere it is refused';
};


subtest 'there is none unless one is asked for' => sub {
    my $nginx = store_nginx(url => undef);
    my %got;
    $got{ verdict($nginx, $forged) }++ for 1 .. 60;
    is_deeply \%got, { '401 token_signature' => 60 }, 'sixty bad ones';
};


subtest 'many at once' => sub {
    my $nginx = guarded();
    my %all;

    for my $got (parallel(8, sub {
        my $c = $nginx->connect;
        my %got;
        for (1 .. 30) {
            $c->ask('GET', '/', token => $forged);
            my $r = answer_of($c->answer);
            $got{$r->{status}}++;
        }
        return \%got;
    })) {
        $all{$_} += $got->{$_} for keys %$got;
    }

    is $all{401} + $all{429}, 240, 'all are answered';
    cmp_ok $all{401}, '>=', 5, 'five may fail';
    cmp_ok $all{401}, '<=', 6, 'one more may be under way';
};


subtest 'some methods alone' => sub {
    my $nginx = store_nginx(url => undef, http => "$REAL\n", server => <<'END');
location /some {
    limit_except GET { proxy_user_guard rate=1r/m burst=1; }
    try_files /index.html =404;
}
END
    my $all = sub {
        my ($method) = @_;
        return join ' ', map {
            $nginx->ask($method, '/some', token => $forged)->{status}
        } 1 .. 4;
    };

    is $all->('GET'), '401 401 401 401', 'those that are not limited';
    is $all->('POST'), '401 401 429 429', 'those that are';
};


done_testing;
