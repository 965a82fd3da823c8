# Quotas: so many requests in each minute, hour, day or month, counted in
# Redis by leases: one nginx is exact, several never give more; without Redis,
# or without one that answers, each counts for itself.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Store;
use Test::More;

use Time::HiRes qw(sleep time);

my $ISSUER = <<'END';
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    role_map five five;
    role_map ten ten;
    role_map many many;
    role_map daily daily;
    role_map all all;
}
END

my $PROFILES = <<'END';
proxy_user_profile five { quota 5 per month; }
proxy_user_profile ten { quota 10 per month; }
proxy_user_profile many { quota 300 per month; }
proxy_user_profile daily { quota 7 per day; }
proxy_user_profile all {
    rate 1r/m burst=9;
    quota 5 per month;
    concurrency 3;
}
END

my $HTTP = "$ISSUER$PROFILES";

sub who {
    my ($sub, @roles) = @_;
    return token(claims => { sub => $sub, roles => \@roles });
}

sub often {
    my ($nginx, $token, $times, $uri) = @_;

    my $c = $nginx->connect;
    my @got;
    for (1 .. $times) {
        $c->ask('GET', $uri // '/', token => $token);
        push @got, answer_of($c->answer);
        next if ($got[-1]{headers}{connection} // '') ne 'close';
        $c->close;
        $c = $nginx->connect;
    }
    $c->close;
    return @got;
}

sub words { join ' ', map { $_->{status} } @_ }

sub count {
    my %n;
    $n{ $_->{status} }++ for @_;
    return join ' ', map { "$_:$n{$_}" } sort keys %n;
}

# The counters of Redis by user and period.
sub counters {
    return { map {
        my ($id, $period) = /^\{pu\}:quota:(u_[\w-]{22}):(\w+):\d+$/
            or die "a strange key: $_\n";
        ("$id $period" => redis('GET', $_))
    } @{ redis('KEYS', '{pu}:quota:*') } };
}

sub id_of { (ask($_[0], $_[1], '/role'))[0]{id} }

my $SERVER = <<'END';
location = /role { proxy_user_role none; }
location = /moved { try_files /none.html /index.html; }
END

# The month must not end while a test runs.
sleep 20 if (gmtime(time + 20))[4] != (gmtime)[4];


subtest 'without Redis' => sub {
    my $nginx = store_nginx(url => undef, http => $HTTP, workers => 2,
                            server => $SERVER);
    my @r = often($nginx, who('a', 'five'), 7);

    is words(@r), '200 200 200 200 200 429 429', 'five and no more';
    is $r[5]{reason}, 'quota_exceeded', 'and told why';
    like $r[0]{headers}{'ratelimit-policy'}, qr/^"quota";q=5;w=\d+$/,
        'what the quota is';
    my ($w) = $r[0]{headers}{'ratelimit-policy'} =~ /w=(\d+)/;
    ok !($w % 86400) && $w >= 28 * 86400 && $w <= 31 * 86400,
        'for a month, in seconds';
    like $r[0]{headers}{ratelimit}, qr/^"quota";r=4;t=\d+$/, 'what is left';
    like $r[5]{headers}{ratelimit}, qr/^"quota";r=0;t=\d+$/, 'none';
    my ($t) = $r[5]{headers}{ratelimit} =~ /t=(\d+)/;
    is $r[5]{headers}{'retry-after'}, $t, 'and when there will be more';
    my @gm = gmtime(time + $t);
    is "$gm[3]", 1, 'on the first of a month';
    cmp_ok $gm[2] * 3600 + $gm[1] * 60 + $gm[0], '<=', 5, 'at its beginning';

    is words(often($nginx, who('b', 'five'), 6)),
        '200 200 200 200 200 429', 'another user has his own';
    is words(often($nginx, who('c', 'ten', 'five'), 11)),
        '200 ' x 10 . '429', 'the most generous counts';
    is words(often($nginx, who('a', 'ten'), 6)), '200 200 200 200 200 429',
        'of the ten he has had five';
    is words(often($nginx, who('a', 'daily'), 8)), '200 ' x 7 . '429',
        'another period is counted apart';
    is words(often($nginx, who('a', 'five'), 1)), '429',
        'and does not wipe out the first';
    is words(often($nginx, who('d', 'five'), 3, '/role')), '403 403 403',
        'who is refused otherwise';
    is words(often($nginx, who('d', 'five'), 6, '/moved')),
        '200 200 200 200 200 429', 'uses nothing up; a redirect counts once';

    ok $nginx->reload, 'reload';
    is words(often($nginx, who('a', 'five'), 1)), '429', 'forgets nothing';

    my @got = map { @$_ } parallel(8, sub {
        return [map { { status => $_->{status} } }
                often($nginx, who('crowd', 'many'), 60)];
    });
    is count(@got), '200:300 429:180', 'eight at once: to the request';
};


subtest 'with Redis, one nginx' => sub {
    my $redis = redis_start();
    my $nginx = store_nginx(http => $HTTP, workers => 2, server => $SERVER);
    warm($nginx);

    my @r = often($nginx, who('a', 'five'), 7);
    is words(@r), '200 200 200 200 200 429 429', 'five and no more';
    is $r[5]{reason}, 'quota_exceeded', 'and told why';
    is_deeply counters(), { "$r[0]{id} month" => 5 }, 'Redis has it';
    my ($key) = @{ redis('KEYS', '{pu}:quota:*') };
    my $ttl = redis('TTL', $key);
    my ($t) = $r[5]{headers}{ratelimit} =~ /t=(\d+)/;
    cmp_ok abs($ttl - $t - 60), '<=', 5, 'for as long as it is needed';

    # In leases of three: a hundredth.
    my $before = calls('incrby');
    my @got = map { @$_ } parallel(8, sub {
        return [map { { status => $_->{status} } }
                often($nginx, who('crowd', 'many'), 60)];
    });
    is count(@got), '200:300 429:180', 'eight at once: to the request';
    my $id = id_of($nginx, who('crowd', 'many'));
    is counters()->{"$id month"}, 300, 'Redis has that as well';
    cmp_ok calls('incrby') - $before, '<=', 110, 'asked for leases only';

    is words(often($nginx, who('b', 'all'), 6)), '200 200 200 200 200 429',
        'with other limits beside it';
    my ($r) = often($nginx, who('b', 'all'), 1);
    is $r->{reason}, 'quota_exceeded', 'it is the quota that is used up';
    like $r->{headers}{ratelimit}, qr/^"rate";r=\d+;t=\d+,\x20
        "quota";r=0;t=\d+,\x20"concurrency";r=\d+$/x,
        'and all of them are told';
    like $r->{headers}{'ratelimit-policy'}, qr/^"rate";q=1;w=60,\x20
        "quota";q=5;w=\d+,\x20
        "concurrency";q=3;qu="concurrent-requests"$/x,
        'what they are';

    # Whoever looks after Redis may give and take.
    redis('SET', $key, 3);
    ok $nginx->reload, 'a counter is changed';
    is words(often($nginx, who('a', 'five'), 1)), '429',
        'what has been heard of counts until then';
    is words(often($nginx, who('a', 'ten'), 8)), '200 ' x 7 . '429',
        'or until it is asked again';
    ok !$nginx->trouble, 'without trouble';
    $redis->stop;
};


# Two nginx on one Redis: together they give what one gives.
subtest 'two nginx' => sub {
    my $redis = redis_start();
    my $one = store_nginx(http => $HTTP, server => $SERVER);
    my $two = start_nginx(bare => 1, http => store_http(http => $HTTP),
                          server => store_server($SERVER));
    warm($one);

    my @got;
    for (1 .. 40) {
        push @got, often($one, who('a', 'many'), 10);
        push @got, often($two, who('a', 'many'), 10);
    }
    my $ok = grep { $_->{status} == 200 } @got;
    cmp_ok $ok, '<=', 300, "$ok: not more";
    cmp_ok $ok, '>=', 300 - 2 * 3, 'and less by what the other has leased';
    is scalar(grep { $_->{status} !~ /200|429/ } @got), 0, 'nothing else';

    # New ones begin where the old ones ended.
    ok $one->stop && $two->stop, 'both end';
    $one = store_nginx(http => $HTTP, server => $SERVER);
    is count(often($one, who('a', 'many'), 10)), '429:10',
        'what was used stays used';
    $redis->stop;
};


subtest 'Redis goes away and comes back' => sub {
    my $redis = redis_start();
    my $nginx = store_nginx(http => $HTTP, redis => 'stale=60s',
                            workers => 2, server => $SERVER);
    warm($nginx);
    is count(often($nginx, who('a', 'many'), 10)), '200:10', 'ten';
    is count(often($nginx, who('b', 'five'), 2)), '200:2', 'two of another';
    is count(often($nginx, who('c', 'five'), 6)), '200:5 429:1',
        'all of a third';
    my $id = id_of($nginx, who('a', 'many'));
    $redis->command('SAVE');
    $redis->stop;

    my @got = often($nginx, who('a', 'many'), 50);
    is count(@got), '200:50', 'it goes on';
    is count(often($nginx, who('b', 'five'), 5)), '200:3 429:2',
        'never more than there is';
    is count(often($nginx, who('c', 'five'), 5)), '429:5',
        'and what is used up is used up';
    ok $nginx->wait_log(qr/\[error\].*not available for quotas/),
        'the log says so';

    $redis->run or die "redis does not come back\n";
    ok defined within(5, sub {
        often($nginx, who('a', 'many'), 1);
        return (counters()->{"$id month"} // 0) > 60;
    }), 'it is back: what was used meanwhile is made good';
    my $used = counters()->{"$id month"};
    my $more = grep { $_->{status} == 200 } often($nginx, who('a', 'many'),
                                                  320);
    is counters()->{"$id month"}, 300, 'then all is used up';
    cmp_ok $used + $more, '<=', 303, 'and was not given twice';
    ok $nginx->wait_log(qr/\[notice\].*available again for quotas/),
        'the log says so';
    is scalar(lines($nginx->log, qr/\[error\].*quotas/)), 2,
        'once for each worker';
    ok !$nginx->trouble, 'without trouble';
    $redis->stop;
};


# Redis as a hostile or broken one answers.
subtest 'strange answers' => sub {
    my $redis = redis_start();
    my $fake = fake_redis($redis);
    my $nginx = store_nginx(url => "redis://127.0.0.1:$fake->{port}",
                            http => $HTTP, server => $SERVER,
                            redis => 'timeout=150ms');
    warm($nginx);

    my $n = 0;
    for my $mode (qw(readonly oom noperm nil status empty garbage close cut
                     silence)) {
        my $token = who('strange-' . ++$n, 'five');
        verdict($nginx, $token, '/role');
        $fake->mode($mode, on => 'INCRBY');
        my $start = time;
        my @got = often($nginx, $token, 7);
        my $s = time - $start;
        is count(@got), '200:5 429:2', "$mode: goes on, and ends";
        cmp_ok $s, '<', 4, 'and does not wait for long';
        $fake->mode('pass');
        ok defined within(3, sub {
            verdict($nginx, who('well-' . $n, 'ten')) =~ /^200|^429/;
        }), 'then all is well';
    }

    # Numbers nobody would expect.
    for my $number ('9223372036854775807', '-9223372036854775808', '-1',
                    '0', '1000000000000') {
        my $token = who('number-' . ++$n, 'five');
        verdict($nginx, $token, '/role');
        $fake->mode('reply', bytes => ":$number\r\n", on => 'INCRBY');
        my @got = often($nginx, $token, 7);
        is scalar(grep { $_->{status} !~ /200|429/ } @got), 0,
            "$number: 200 or 429";
        $fake->mode('pass');
    }

    ok !$nginx->trouble, 'without trouble';
    $redis->stop;
};


subtest 'who goes away while a lease is awaited' => sub {
    my $redis = redis_start();
    my $fake = fake_redis($redis);
    my $nginx = store_nginx(url => "redis://127.0.0.1:$fake->{port}",
                            http => $HTTP, server => $SERVER,
                            redis => 'timeout=2s');
    warm($nginx);
    my $token = who('gone', 'ten');
    verdict($nginx, $token, '/role');

    $fake->mode('delay', seconds => 0.4, on => 'INCRBY');
    for (1 .. 5) {
        my $c = $nginx->connect;
        $c->ask('GET', '/', token => $token);
        sleep 0.03;
        $c->reset;
    }
    sleep 0.6;
    $fake->mode('pass');
    is count(often($nginx, $token, 11)) =~ /^200:(?:10|9|8|7|6|5) 429:/, 1,
        'the others go on';
    ok $nginx->reload, 'reload while nobody waits';

    my $c = $nginx->connect;
    $fake->mode('delay', seconds => 0.5, on => 'INCRBY');
    verdict($nginx, who('late', 'ten'), '/role');
    $c->ask('GET', '/', token => who('late', 'ten'));
    sleep 0.1;
    $nginx->signal('HUP');
    my $r = answer_of($c->answer);
    is $r->{status}, 200, 'a reload while one waits: he is answered';
    $fake->mode('pass');
    ok !$nginx->trouble, 'without trouble';
    $redis->stop;
};


# Rights that are not there keep nobody from being looked up.
subtest 'missing rights' => sub {
    my $redis = redis_start();
    SKIP: {
        my $version = (redis('INFO', 'server') =~ /redis_version:(\d+)/)[0];
        skip 'no ACLs', 1 if $version < 6;
        redis('ACL', 'SETUSER', 'gate', 'reset', 'on', '>pw', '~{pu}:*',
              map { "+$_" } qw(evalsha type time hmget hset sadd zadd xadd
              xread xrange xrevrange xinfo|stream script|load));
        write_file('pw', "pw\n");
        my $nginx = store_nginx(
            url => 'redis://gate@127.0.0.1:$TEST_NGINX_REDIS_PORT',
            redis => 'password_file=$TEST_NGINX_TMP/pw',
            http => $HTTP, server => $SERVER);
        warm($nginx);
        is count(often($nginx, who('a', 'five'), 7)), '200:5 429:2',
            'each counts for itself';
        ok $nginx->wait_log(qr/\[error\].*for quotas: .*NOPERM/),
            'the log says why';
        is verdict($nginx, as('somebody')), '200 ok',
            'and everybody is looked up';
    }
    $redis->stop;
};


done_testing;
