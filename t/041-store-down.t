# Redis that is not there, goes away, comes back or is stuck: who is known is
# served for a while, who is not gets 503, nobody else notices, and all is
# well within a second of its return.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Store;
use Test::More;

use Time::HiRes qw(sleep time);

my $KNOWN = <<'END';
proxy_user_issuer twin {
    issuer https://twin.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    provision known;
}
END
my $BOTH = <<'END' . $KNOWN;
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    role_map reader reader;
}
END

my $number = 0;

sub cold {
    my $n = ++$number;
    seed_user(id => user_id($n), sub => "cold-$n", @_);
    return as("cold-$n");
}

sub twin { token(claims => { iss => 'https://twin.example.com', @_ }) }

# An answer and the seconds it took.
sub timed {
    my (@ask) = @_;

    my $start = time;
    my $r = ask(@ask);
    return ($r, time - $start);
}

# The test's Redis keeps nothing by itself: here it has to survive.
sub kill_redis {
    my ($redis) = @_;

    $redis->command('SAVE');
    $redis->stop;
    return time;
}

sub errors { scalar lines($_[0]->log, qr/\[error\].*for $_[1]/) }

sub notices { scalar lines($_[0]->log, qr/\[notice\].*again.*for $_[1]/) }

# One line for each of the two connections, whatever happened in between.
sub told_once {
    my ($nginx, $title) = @_;

    for my $name ('look-ups', 'the change log') {
        is errors($nginx, $name), 1, "$title: one line says that $name fail";
        ok $nginx->wait_log(qr/\[notice\].*again for $name/),
            'one says that they are back' or diag $nginx->log;
        is notices($nginx, $name), 1, 'and no more';
    }
}


subtest 'Redis is not there at the start' => sub {
    my $port = free_port();
    my $nginx = store_nginx(url => "redis://127.0.0.1:$port");

    my ($r, $s) = timed($nginx, as('alice'));
    is "$r->{status} $r->{reason}", '503 store_unavailable', 'not known';
    is $r->{headers}{'retry-after'}, 1, 'try again in a second';
    ok !defined $r->{headers}{'www-authenticate'}, 'it is no challenge';
    is $r->{id}, '', 'and names nobody';
    cmp_ok $s, '<', 0.5, 'said at once';

    is verdict($nginx, as('alice'), '/closed'), '503 store_unavailable',
        'the same where it must be';
    is verdict($nginx, undef), '401 no_credential',
        'a token is still asked for';
    is verdict($nginx, 'x'), '401 token_malformed', 'and looked at';
    is ask($nginx, undef, '/open')->{status}, 200,
        'what is open stays open';

    my $json = $nginx->get('/', as('alice'), Accept => 'application/json');
    is_deeply [@{ JSON::PP::decode_json($json->{body}) }{qw(status reason)}],
        [503, 'store_unavailable'], 'a program is told as well';

    my @slow = grep { $_ > 0.3 } map { (timed($nginx, as("u$_")))[1] }
        1 .. 30;
    is_deeply \@slow, [], 'nobody waits for what is not there';

    my $redis = redis_start(port => $port);
    my $seconds = within(3, sub { verdict($nginx, as('alice')) eq '200 ok' });
    cmp_ok $seconds // 9, '<', 1, 'it comes: users are made within a second';
    told_once($nginx, 'not there');
    $redis->stop;
};


subtest 'somebody listens who never answers' => sub {
    my $mute = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64)
        or die "socket: $!\n";
    my $nginx = store_nginx(url => 'redis://127.0.0.1:' . $mute->sockport,
                            redis => 'connect_timeout=400ms timeout=100ms');

    my ($r, $s) = timed($nginx, as('alice'));
    is "$r->{status} $r->{reason}", '503 store_unavailable',
        'the first one waits for the first attempt';
    cmp_ok $s, '<', 0.8, 'and not for longer';

    my @s;
    for (1 .. 20) {
        my ($r, $s) = timed($nginx, as("mute-$_"));
        push @s, $s;
        is $r->{status}, 503, 'the next are told' if $_ == 20;
        sleep 0.05;
    }
    is_deeply [grep { $_ > 0.3 } @s], [], 'within twice the timeout';
    is errors($nginx, 'look-ups'), 1, 'one line in the log';
    cmp_ok ask($nginx, undef, '/open')->{status}, '==', 200,
        'the rest is as ever';
};


subtest 'L11: Redis goes away and comes back' => sub {
    my $redis = redis_start();
    my $nginx = store_nginx(redis => 'stale=5s', http => $BOTH);
    my $start = int time;

    seed_user(id => user_id(501), sub => 'alice', roles => 'admin');
    seed_user(id => user_id(502), sub => 'bad', state => 'suspended');
    seed_user(id => user_id(505), sub => 'revoked', epoch => $start - 50);
    seed_user(id => user_id(506), sub => 'touched');
    warm($nginx);

    my %token = map { $_ => as($_, iat => $start - 20) }
        qw(alice bad touched);
    $token{revoked} = as('revoked', iat => $start - 60);

    my $see = sub { verdict($nginx, $token{$_[0]}, $_[1]) };
    is $see->($_), '200 ok', "$_ is served" for qw(alice touched);
    is $see->('bad'), '403 user_suspended', 'the suspended is not';
    is $see->('revoked'), '401 token_revoked', 'nor the revoked';
    is verdict($nginx, twin(sub => 'nobody')), '403 user_unknown',
        'nor is nobody';

    # A change is applied and the user not read again before the end.
    change_user(user_id(506), 'update', roles => '');
    sleep 0.2;

    my $gone = kill_redis($redis);
    my $age = sub { time - $gone };
    is verdict($nginx, as('new')), '503 store_unavailable',
        'nobody new is made';
    is $see->('touched'), '503 store_unavailable',
        'who was changed is not known any more';
    is $see->('alice'), '200 ok', 'who is known is served';
    is $see->('bad'), '403 user_suspended', 'or not, as is known';

    my $seconds = within(5, sub {
        $see->('alice', '/closed') eq '503 store_unavailable'
    });
    ok defined $seconds, 'where it must be closed, it closes';
    cmp_ok $age->(), '<', 3.5, 'within three seconds';

    # From here on nothing is fresh.
    my $r = ask($nginx, $token{alice});
    is "$r->{status} $r->{reason} $r->{cache}", '200 ok stale',
        'elsewhere what was known is served';
    is $r->{id}, user_id(501), 'it is the same user';
    is verdict($nginx, $token{alice}, '/admin'), '200 ok', 'with his roles';
    is verdict($nginx, $token{alice}, '/closed'), '503 store_unavailable',
        'here and not there';
    $r = ask($nginx, $token{bad});
    is "$r->{status} $r->{reason} $r->{cache}",
        '403 user_suspended stale', 'a suspended user stays refused';
    is $see->('revoked'), '401 token_revoked', 'an epoch counts';
    is verdict($nginx, as('alice', iat => $start - 20, exp => $start - 100)),
        '401 token_expired', 'the end of a token counts';
    is verdict($nginx, twin(sub => 'nobody')), '503 store_unavailable',
        '"no such user" is not believed any longer';
    is $see->('touched'), '503 store_unavailable', 'nor is a changed user';
    my @s = map { (timed($nginx, $token{alice}))[1] } 1 .. 20;
    is_deeply [grep { $_ > 0.3 } @s], [], 'nobody waits for it';
    is ask($nginx, undef, '/open')->{status}, 200, 'what is open is open';

    $seconds = within(8, sub {
        $see->('alice') eq '503 store_unavailable'
    });
    ok defined $seconds, 'then nothing is known any more';
    cmp_ok $age->(), '<', 5.7, 'after the time that was set';
    cmp_ok $age->(), '>', 3.5, 'and not much earlier';
    ok defined within(1, sub { $see->('bad') eq '503 store_unavailable' }),
        'of the suspended neither';

    is errors($nginx, 'look-ups'), 1, 'one line tells of all that';

    $redis->run or die "redis does not come back\n";
    $seconds = within(3, sub { $see->('alice') eq '200 ok' });
    cmp_ok $seconds // 9, '<', 1, 'back within a second of its return';
    is $see->('bad'), '403 user_suspended', 'the suspended is known again';
    is $see->('touched'), '200 ok', 'the changed user is read';
    is verdict($nginx, as('new')), '200 ok', 'users are made';
    is verdict($nginx, twin(sub => 'nobody')), '403 user_unknown',
        'and refused';
    is verdict($nginx, $token{alice}, '/closed'), '200 ok',
        'it opens where it was closed';
    ok defined within(3, sub {
        ask($nginx, $token{alice})->{cache} eq 'hit'
    }), 'the cache is trusted again';
    told_once($nginx, 'away and back');
    $redis->stop;
};


subtest 'the end of a user and of a grant while Redis is away' => sub {
    my $redis = redis_start();
    my $nginx = store_nginx();
    warm($nginx);
    my $end = int(time) + 5;
    seed_user(id => user_id(601), sub => 'ending', expires => $end);
    seed_user(id => user_id(602), sub => 'leased', roles => "admin=$end");
    is verdict($nginx, as('ending')), '200 ok', 'before his end';
    is verdict($nginx, as('leased'), '/admin'), '200 ok', 'before its end';

    kill_redis($redis);
    my $stale = within(5, sub {
        ask($nginx, as('ending'))->{cache} eq 'stale'
            && time < $end;
    });
    ok defined $stale, 'served stale for a while';

    ok defined within(4, sub {
        verdict($nginx, as('ending')) eq '403 user_expired'
    }), 'until his end';
    ok time >= $end, 'and not before';
    ok defined within(2, sub {
        verdict($nginx, as('leased'), '/admin') eq '403 role_missing'
    }), 'a grant ends as well';
    is ask($nginx, as('leased'))->{cache}, 'stale', 'Redis being away';
};


subtest 'Redis is stuck' => sub {
    my $redis = redis_start();
    my $nginx = store_nginx(redis => 'timeout=200ms');
    my @cold = map { cold() } 1 .. 40;
    seed_user(id => user_id(701), sub => 'alice');
    warm($nginx);
    is verdict($nginx, as('alice')), '200 ok', 'somebody is known';

    $redis->freeze;
    my ($r, $s) = timed($nginx, shift @cold);
    is "$r->{status} $r->{reason}", '503 store_unavailable',
        'a cold user is not known';
    is $r->{headers}{'retry-after'}, 1, 'and told to come again';
    cmp_ok $s, '<', 0.46, 'within twice the timeout';
    cmp_ok $s, '>', 0.15, 'after having asked';

    # While ten wait, the others must not.
    my @waiting = map {
        my $c = $nginx->connect;
        $c->ask('GET', '/', token => shift @cold);
        { c => $c, start => time };
    } 1 .. 10;
    my (@open, @warm);
    for (1 .. 15) {
        my ($r, $s) = timed($nginx, undef, '/open');
        push @open, $s;
        is $r->{status}, 200, 'somewhere else all is well' if $_ == 15;
        ($r, $s) = timed($nginx, as('alice'));
        push @warm, $s;
        is "$r->{status} $r->{cache}", '200 hit', 'the warm are served'
            if $_ == 15;
        sleep 0.01;
    }
    is_deeply [grep { $_ > 0.1 } @open], [], 'as fast as ever';
    is_deeply [grep { $_ > 0.1 } @warm], [], 'and so are they';

    my (%verdict, @late);
    for (@waiting) {
        my $r = answer_of($_->{c}->answer);
        $verdict{"$r->{status} $r->{reason}"}++;
        push @late, time - $_->{start};
    }
    is_deeply \%verdict, { '503 store_unavailable' => 10 }, 'ten refused';
    is_deeply [grep { $_ > 0.8 } @late], [], 'all in time';

    # Long enough for nothing to be fresh.
    my $stale = within(5, sub {
        ask($nginx, as('alice'))->{cache} eq 'stale'
    });
    ok defined $stale, 'the warm become stale';
    my @s;
    for (1 .. 15) {
        my ($r, $s) = timed($nginx, as('alice'));
        push @s, $s;
        is "$r->{status} $r->{cache}", '200 stale', 'and stay served'
            if $_ == 15;
        sleep 0.03;
    }
    is_deeply [grep { $_ > 0.46 } @s], [], 'within twice the timeout';
    diag sprintf 'stale, stuck: %s', join ' ',
        map { sprintf '%.3f', $_ } sort { $a <=> $b } @s if $ENV{TIMES};
    is verdict($nginx, as('alice'), '/closed'), '503 store_unavailable',
        'but not where it must be closed';

    $redis->thaw;
    my $token = shift @cold;
    my $seconds = within(3, sub { verdict($nginx, $token) eq '200 ok' });
    cmp_ok $seconds // 9, '<', 1, 'it goes on: back within a second';
    is_deeply verdicts($nginx, @cold), { '200 ok' => scalar @cold },
        'for everybody';
    told_once($nginx, 'stuck');
    $redis->stop;
};


subtest 'connections are cut while requests run' => sub {
    my $redis = redis_start();
    my $nginx = store_nginx(workers => 2);
    warm($nginx);
    my @pid = all_workers($nginx);

    my $end = time + 3;
    my @result = parallel(4, sub {
        my ($i) = @_;

        if ($i == 0) {
            my $kills = 0;
            while (time < $end - 0.3) {
                $redis->command('CLIENT', 'KILL', 'TYPE', 'normal',
                                'SKIPME', 'yes');
                $kills++;
                sleep 0.12;
            }
            return { kills => $kills };
        }

        my $n = 0;
        my %count;
        my $c = $nginx->connect;
        while (time < $end) {
            $c->ask('GET', '/', token => as("cut-$i-" . ++$n));
            my $r = answer_of($c->answer);
            $count{"$r->{status} $r->{reason}"}++;
        }
        return \%count;
    });

    my $kills = (shift @result)->{kills};
    $redis->disconnect;
    cmp_ok $kills, '>', 10, "$kills times";
    my %all;
    for my $result (@result) {
        $all{$_} += $result->{$_} for keys %$result;
    }
    my $ok = delete $all{'200 ok'} // 0;
    cmp_ok $ok, '>', 100, "$ok requests of new users were served";
    is_deeply \%all, {}, 'and none was not';
    is_deeply [all_workers($nginx)], \@pid, 'by the same workers';
    is redis('ZCARD', '{pu}:users'), $ok + 1, 'each user was made once';
    is scalar(@{ redis('KEYS', '{pu}:user:*') }), $ok + 1, 'and no half';

    # The tail's connection alone: what it has missed is not missed.
    my ($tail) = map { /^id=(\d+) / } grep { / cmd=xread / }
        split /\n/, redis('CLIENT', 'LIST');
    ok $tail, 'somebody follows the log';
    seed_user(id => user_id(801), sub => 'victim');
    is verdict($nginx, as('victim')), '200 ok', 'a user is served';
    redis('CLIENT', 'KILL', 'ID', $tail);
    change_user(user_id(801), 'suspend', state => 'suspended');
    my $seconds = within(3, sub {
        verdict($nginx, as('victim')) eq '403 user_suspended'
    });
    cmp_ok $seconds // 9, '<', 1, 'and suspended while nobody followed';
    $redis->stop;
};


subtest 'a reload while Redis is away' => sub {
    my $redis = redis_start();
    my $nginx = store_nginx();
    seed_user(id => user_id(901), sub => 'alice');
    seed_user(id => user_id(902), sub => 'bad', state => 'suspended');
    warm($nginx);
    is verdict($nginx, as('alice')), '200 ok', 'alice is known';
    is verdict($nginx, as('bad')), '403 user_suspended', 'bad is suspended';
    kill_redis($redis);

    ok $nginx->reload, 'reload';
    is verdict($nginx, as('alice')), '200 ok', 'alice is still known';
    is verdict($nginx, as('bad')), '403 user_suspended', 'bad as well';
    is verdict($nginx, as('new')), '503 store_unavailable', 'nobody new';
    is verdict($nginx, as('new'), '/closed'), '503 store_unavailable',
        'nowhere';

    $redis->run or die "redis does not come back\n";
    my $seconds = within(3, sub { verdict($nginx, as('new')) eq '200 ok' });
    cmp_ok $seconds // 9, '<', 1, 'until it returns';
    $redis->stop;
};


done_testing();
