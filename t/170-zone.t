# The shared memory: what does not fit goes, and nobody is refused for it; a
# reload, another size and a killed worker leave one that can be used.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Crowd;
use ProxyUser::Store;
use Test::More;

use Time::HiRes qw(sleep time);

# The least that nginx -t allows, whatever the size of a page is.
my ($smallest) = (nginx_t(http => 'proxy_user_zone 1;'))[1]
    =~ /a size from (\d+) bytes/;

my $KNOWN = <<'END';
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    provision known;
}
END

# What is asked here is not how soon a busy machine's Redis answers.
my $PATIENT = 'timeout=2s';

my $redis = redis_start();

sub log_is_clean {
    my ($nginx) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is scalar(lines($nginx->log, qr/\[(?:warn|error|crit|alert|emerg)\]/)), 0,
        'and nothing is worth a line in the log';
}

# The same work of several clients at once; a count of each verdict.
sub crowd {
    my ($nginx, $n, $work) = @_;

    my %all;
    for my $count (parallel($n, sub { verdicts($nginx, $work->($_[0])) })) {
        $all{$_} += $count->{$_} for keys %$count;
    }
    return \%all;
}


# As they really are, with their handles, and without a token in the zone.
subtest 'a cached user takes 512 bytes at most' => sub {
    redis('FLUSHALL');
    my $nginx = store_nginx(redis => $PATIENT, server => crowd_server(),
        http => "proxy_user_zone 512k;\nkeepalive_requests 100000;\n");
    my $most = 512 * 1024 / 512;
    my $held = held($redis, $nginx, $most + 100);

    cmp_ok $held, '>=', $most, "512k holds $held users";
    log_is_clean($nginx);
    redis('FLUSHALL');
};


subtest 'the smallest zone there is' => sub {
    ok $smallest, 'nginx -t says how small' or return;
    my ($ok) = nginx_t(http => 'proxy_user_zone ' . ($smallest - 1) . ';');
    is $ok, 0, 'one byte less is refused';
    ($ok) = nginx_t(http => "proxy_user_zone $smallest;");
    is $ok, 1, 'that size is not';

    my $nginx = store_nginx(http => "proxy_user_zone $smallest;",
                            redis => $PATIENT, workers => 2);
    my $users = 300;
    seed_user(id => user_id($_), sub => "seeded-$_", name => 'N' x 200,
              roles => 'reader writer admin') for 1 .. $users;
    seed_user(id => user_id(900), sub => 'bad', state => 'suspended');

    is_deeply crowd($nginx, 4, sub {
        my ($i) = @_;
        return map { as('seeded-' . (1 + ($_ * 7 + $i) % $users)) } 1 .. 400;
    }), { '200 ok' => 1600 }, "$users users of four clients";
    is_deeply crowd($nginx, 4, sub {
        my ($i) = @_;
        return map { as("new-$i-$_") } 1 .. 100;
    }), { '200 ok' => 400 }, 'four hundred new users';
    is_deeply crowd($nginx, 4, sub {
        return map { (as("same-$_"), as('bad')) } 1 .. 50;
    }), { '200 ok' => 200, '403 user_suspended' => 200 },
        'fifty new users, four times at once, and a suspended one';

    # A record that fills most of it, and one that cannot be cached at all.
    seed_user(id => user_id(901), sub => 'large', name => 'n' x 3000,
              scopes => 's' x 2500);
    is_deeply verdicts($nginx, map { (as('large'), as("seeded-$_")) }
                       1 .. 50), { '200 ok' => 100 }, 'a very large user';
    is_deeply verdicts($nginx, map {
        as("seeded-$_", roles => [map { "role-$_" } 1 .. 300])
    } 1 .. 20), { '200 ok' => 20 }, 'long tokens';
    log_is_clean($nginx);

    # What has changed counts, cached or not.
    my %bad = map { $_ => 1 } 1, 50, 299;
    change_user(user_id($_), 'suspend', state => 'suspended') for keys %bad;
    sleep 0.3;
    is verdict($nginx, as("seeded-$_")), $bad{$_} ? '403 user_suspended'
        : '200 ok', "user $_" for 1, 2, 50, 298, 299, 300;
};


subtest 'the smallest zone without Redis' => sub {
    my $nginx = store_nginx(http => "proxy_user_zone $smallest;",
                            url => undef, workers => 2);
    is_deeply crowd($nginx, 4, sub {
        my ($i) = @_;
        return map { (as("local-$i-$_"), as("local-$_")) } 1 .. 300;
    }), { '200 ok' => 2400 }, 'twelve hundred users';
    log_is_clean($nginx);
};


# 16m are to hold 20,000 users; this is a tenth of both.
subtest 'two thousand users and their tokens in a tenth of 16m' => sub {
    my $n = 2000;
    my $nginx = store_nginx(redis => $PATIENT, http => 'proxy_user_zone '
                                    . int(16 * 1024 * 1024 / 10) . ';');
    redis('FLUSHALL');
    warm($nginx);

    my $sub = sub { sprintf 'a3bb189e-8bf9-3888-9912-ace4e654%04d', $_[0] };
    my $roles = 'reader@1700000000 writer@1700000000 admin@1700000000';
    seed_user(id => user_id($_), sub => $sub->($_), name => $sub->($_),
              roles => $roles) for 1 .. $n;
    my @token = map {
        token(alg => 'ES256', claims => {
            sub => $sub->($_), scope => 'orders:read orders:write profile',
            roles => ['reader', 'writer', 'admin'] })
    } 1 .. $n;

    my $pass = sub {
        my (@token) = @_;
        my (%cache, $c);

        $c = $nginx->connect;
        for (1 .. @token) {
            if ($_ % 500 == 0) {
                $c->close;
                $c = $nginx->connect;
            }
            $c->ask('GET', '/', token => $token[$_ - 1]);
            my $r = answer_of($c->answer);
            $cache{"$r->{status} $r->{cache} $r->{token_cache}"}++;
        }
        return \%cache;
    };

    is_deeply $pass->(@token), { '200 miss miss' => $n }, 'all are new';
    # On a machine that stalls for seconds the view is not fresh for a while,
    # and who comes then is looked up.
    my ($before, $cache);
    for (1 .. 3) {
        $before = calls('evalsha');
        $cache = $pass->(@token);
        last if ($cache->{'200 hit hit'} // 0) == $n;
    }
    is_deeply $cache, { '200 hit hit' => $n }, 'all are known';
    is calls('evalsha') - $before, 0, 'without asking Redis';

    # Ten times as many: the same zone serves them.
    seed_user(id => user_id(10_000 + $_), sub => "more-$_") for 1 .. 3000;
    my %verdict = %{ verdicts($nginx, map { as("more-$_") } 1 .. 3000) };
    is_deeply \%verdict, { '200 ok' => 3000 }, 'more than it holds';
    is_deeply $pass->(@token[0 .. 4])->{'200 hit hit'} // 0, 0,
        'who was not used for long has gone';
    log_is_clean($nginx);
};


subtest 'strangers do not push out who is known' => sub {
    redis('FLUSHALL');
    my $nginx = store_nginx(http => "proxy_user_zone 256k;\n$KNOWN",
                            redis => $PATIENT);
    my @sub = map { "regular-$_" } 1 .. 100;
    seed_user(id => user_id($_), sub => "regular-$_") for 1 .. 100;
    warm($nginx);
    my @token = map { as($_) } @sub;
    is_deeply verdicts($nginx, @token), { '200 ok' => 100 }, 'regulars';

    my $strangers = 3000;
    is_deeply verdicts($nginx, map { as("stranger-$_") } 1 .. $strangers),
        { '403 user_unknown' => $strangers }, "$strangers strangers";

    my $before = calls('evalsha');
    is_deeply verdicts($nginx, @token), { '200 ok' => 100 },
        'the regulars are served';
    is calls('evalsha') - $before, 0, 'and none had to be looked up';
    log_is_clean($nginx);
};


subtest 'another size, by a reload' => sub {
    redis('FLUSHALL');
    my $nginx = store_nginx(http => 'proxy_user_zone 1m;', workers => 2);
    seed_user(id => user_id(1), sub => 'alice');
    seed_user(id => user_id(2), sub => 'bad', state => 'suspended');
    warm($nginx);
    ok cached($nginx, as('alice')), 'a user is cached';

    my $file = "$nginx->{root}/conf/nginx.conf";
    my $text = read_file($file);
    my $size = sub {
        write_file($file, $text =~ s/proxy_user_zone 1m/proxy_user_zone $_[0]/r);
        return $nginx->reload;
    };

    ok $nginx->reload, 'the same size';
    is ask($nginx, as('alice'))->{cache}, 'hit', 'she is still there';

    for my $new ('2m', $smallest, '4m') {
        ok $size->($new), "now $new";
        my $r = ask($nginx, as('alice'));
        is "$r->{status} $r->{id}", '200 ' . user_id(1), 'alice is served';
        is "$r->{cache} $r->{token_cache}", 'miss miss', 'it began empty';
        is verdict($nginx, as('bad')), '403 user_suspended', 'bad is not';
        ok cached($nginx, as('alice')), 'it fills again';
        change_user(user_id(1), 'suspend', state => 'suspended');
        my $s = refused_after($nginx, as('alice'), time);
        cmp_ok $s // 9, '<', 1, 'and the log is followed';
        resume(user_id(1));
        ok defined within(2, sub {
            verdict($nginx, as('alice')) eq '200 ok'
        }), 'resumed';
    }

    # A size that cannot be: what runs goes on with what it had.
    write_file($file, $text =~ s/proxy_user_zone 1m/proxy_user_zone 1k/r);
    my @pid = all_workers($nginx);
    $nginx->signal('HUP');
    ok $nginx->wait_log(qr/\[emerg\].*"proxy_user_zone"/),
        'a size that is too small is told';
    is_deeply [all_workers($nginx)], \@pid, 'the old workers stay';
    is ask($nginx, as('alice'))->{cache}, 'hit', 'with what they know';
    write_file("$nginx->{root}/logs/error.log", '');

    # Other users must not be met under the same keys.
    my $other = $text =~ s/(proxy_user_redis \S+)/$1 prefix=other/r;
    write_file($file, $other);
    ok $nginx->reload, 'another prefix';
    my $r = ask($nginx, as('alice'));
    is $r->{status}, 200, 'alice is served';
    isnt $r->{id}, user_id(1), 'as somebody else: these are other users';
    is verdict($nginx, as('bad')), '200 ok', 'and another bad';
};


# The lock is held for microseconds: many kills to find somebody with it. The
# suspended user must be refused by whatever is left.
subtest 'workers are killed under load' => sub {
    redis('FLUSHALL');
    my $nginx = store_nginx(
        http => 'proxy_user_zone 64k;', workers => 3,
        expect => qr/exited on signal 9|was locked by/);
    seed_user(id => user_id(1), sub => 'bad', state => 'suspended');
    seed_user(id => user_id(100 + $_), sub => "load-$_") for 1 .. 60;
    warm($nginx);

    my $end = time + 4;
    my @result = parallel(5, sub {
        my ($i) = @_;

        if ($i == 0) {
            my $kills = 0;
            while (time < $end) {
                my @pid = $nginx->workers or next;
                $kills += kill KILL => $pid[rand @pid];
                sleep 0.06;
            }
            return { kills => $kills };
        }

        my %count;
        my $c;
        while (time < $end) {
            $c //= eval { $nginx->connect } or next;
            my $bad = rand() < 0.2;
            $c->ask('GET', '/', token =>
                    as($bad ? 'bad' : 'load-' . (1 + int rand 60)));
            my $answer = $c->answer(timeout => 3);
            if (!$answer) {
                $count{'cut off'}++;
                $c->close;
                undef $c;
                next;
            }
            my $r = answer_of($answer);
            $count{($bad ? 'bad' : 'good') . " $r->{status} $r->{reason}"}++;
        }
        return \%count;
    });

    my $kills = (shift @result)->{kills};
    cmp_ok $kills, '>', 5, "$kills workers were killed";
    my %all;
    for my $result (@result) {
        $all{$_} += $result->{$_} for keys %$result;
    }
    delete $all{'cut off'};
    cmp_ok delete $all{'good 200 ok'} // 0, '>', 40, 'users were served';
    cmp_ok delete $all{'bad 403 user_suspended'} // 0, '>', 4,
        'or refused';
    my $unknown = 0;
    $unknown += delete $all{"$_ 503 store_unavailable"} // 0
        for qw(good bad);
    is_deeply \%all, {}, 'and nothing else';
    cmp_ok $unknown, '<', 100, "few were told to come again, $unknown";

    my @pid = all_workers($nginx);
    is scalar(@pid), 3, 'there are three workers';
    ok cached($nginx, as('load-1')), 'the zone is used';
    is_deeply verdicts($nginx, map { as("load-$_") } 1 .. 60),
        { '200 ok' => 60 }, 'for everybody';
    is_deeply crowd($nginx, 3, sub {
        return map { as("after-$_[0]-$_") } 1 .. 100;
    }), { '200 ok' => 300 }, 'and for more than it holds';
    my $s = do {
        change_user(user_id(101), 'suspend', state => 'suspended');
        refused_after($nginx, as('load-1'), time);
    };
    cmp_ok $s // 9, '<', 2.5, 'a change is seen';
    is_deeply [all_workers($nginx)], \@pid, 'nobody else has died';
};


done_testing();
