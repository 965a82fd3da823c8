# How soon a change is seen everywhere, and that it is seen for certain: what
# follows the change log may die, lose its connection or find another log than
# it knew, and a look-up may be slower than the change it has missed.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Store;
use Test::More;

use Time::HiRes qw(sleep time);

my $LOG = '{pu}:log';
my $redis = redis_start();
my $number = 0;

# A user nobody has asked for yet: his token and id.
sub fresh_user {
    my $n = ++$number;
    return (as("user-$n"), seed_user(id => user_id($n), sub => "user-$n",
                                     @_));
}

# What one worker says on a connection of its own.
sub through {
    my ($c, $token) = @_;

    $c->ask('GET', '/', token => $token);
    my $r = answer_of($c->answer);
    return "$r->{status} $r->{reason}";
}

sub cached {
    my ($nginx, $token) = @_;

    return defined within(4, sub { ask($nginx, $token)->{cache} eq 'hit' });
}

sub suspend {
    my ($id) = @_;

    my ($code, $text) = proxy_user(qw(user suspend), $id);
    die "suspend: $text\n" if $code;
    return time;
}

sub resume { proxy_user(qw(user resume), $_[0]) }

# Seconds from a change until it is refused.
sub refused_after {
    my ($nginx, $token, $from, $limit) = @_;

    return undef unless defined within($limit // 5, sub {
        verdict($nginx, $token) eq '403 user_suspended'
    });
    return time - $from;
}

# The pid that follows the log: nothing else in a worker has that connection.
sub holder {
    my ($nginx) = @_;

    my ($port) = map { /addr=127\.0\.0\.1:(\d+)/ } grep { / cmd=xread / }
        split /\n/, redis('CLIENT', 'LIST');
    return unless $port;

    my ($inode) = map { (split)[9] }
        grep { (split)[1] eq sprintf '0100007F:%04X', $port }
        split /\n/, read_file('/proc/net/tcp');

    for my $pid ($nginx->workers(qr/^nginx: worker process/)) {
        return $pid if grep { (readlink($_) // '') eq "socket:[$inode]" }
            glob "/proc/$pid/fd/*";
    }

    return;
}

my $TCP = 'redis://127.0.0.1:$TEST_NGINX_REDIS_PORT';


subtest 'a suspended user is refused everywhere at once' => sub {
    my $nginx = store_nginx(workers => 2);
    my ($token, $id) = fresh_user();
    warm($nginx);
    my %client = by_worker($nginx, 1);
    is scalar(keys %client), 2, 'two workers';
    my @c = map { @$_ } values %client;

    my (@ms, $wrong);
    for my $trial (1 .. 30) {
        for my $c (@c) {
            defined within(2, sub { through($c, $token) eq '200 ok' })
                or $wrong = "trial $trial: not served before";
        }

        my $from = suspend($id);
        for my $c (@c) {
            my $s = within(2, sub {
                through($c, $token) eq '403 user_suspended'
            });
            $wrong = "trial $trial: never refused" unless defined $s;
        }
        push @ms, 1000 * (time - $from);

        # Once refused, he stays it.
        for my $c ((@c) x 3) {
            my $verdict = through($c, $token);
            $wrong = "trial $trial: $verdict afterwards"
                if $verdict ne '403 user_suspended';
        }
        resume($id);
    }

    is $wrong, undef, 'thirty times served, refused and served';
    @ms = sort { $a <=> $b } @ms;
    cmp_ok $ms[14], '<', 50, sprintf 'half of the times within %.0f ms',
        $ms[14];
    cmp_ok $ms[28], '<', 100, sprintf 'all but one within %.0f ms', $ms[28];
    cmp_ok $ms[29], '<', 500, sprintf 'and that in %.0f ms', $ms[29];
};


subtest 'every kind of change is seen at once' => sub {
    my $nginx = store_nginx(workers => 2);
    my ($token, $id) = fresh_user();
    warm($nginx);
    my @c = map { @$_ } values %{{ by_worker($nginx, 1) }};

    my $seen = sub {
        my ($title, $expected, @command) = @_;

        for my $c (@c) {
            through($c, $token) for 1 .. 2;
        }
        is proxy_user(@command), 0, $title;
        for my $c (@c) {
            my $s = within(2, sub { through($c, $token) eq $expected });
            cmp_ok $s // 9, '<', 0.5, "is $expected";
        }
    };

    $seen->('suspended', '403 user_suspended', qw(user suspend), $id);
    $seen->('resumed', '200 ok', qw(user resume), $id);
    $seen->('revoked', '401 token_revoked', qw(user revoke), $id);
    $token = as("user-$number", iat => int(time) + 5);
    is through($c[0], $token), '200 ok', 'with a newer token';
    $seen->('deleted', '403 user_deleted', qw(user delete), $id);
};


# The log that was read is not there any more, in every way that happens to
# a Redis. The user has changed meanwhile, and no entry tells of it.
subtest 'a log that is not the one that was read' => sub {
    my $change = sub {
        my ($id) = @_;
        redis('HSET', "{pu}:user:$id", state => 'suspended');
    };

    for (['trimmed to nothing', sub { redis('XTRIM', $LOG, 'MAXLEN', 0) }],
         ['deleted', sub { redis('DEL', $LOG) }],
         ['deleted and begun anew', sub {
              redis('DEL', $LOG);
              change_user(user_id(99999), 'update');
          }],
         ['without its last entry', sub {
              my $last = redis('XREVRANGE', $LOG, '+', '-', 'COUNT', 1);
              redis('XDEL', $LOG, $last->[0][0]);
          }],
         ['with another last entry', sub {
              my $last = redis('XREVRANGE', $LOG, '+', '-', 'COUNT', 1);
              redis('DEL', $LOG);
              redis('XADD', $LOG, $last->[0][0], op => 'update',
                    user => user_id(99998), handle => '', version => 2,
                    actor => 'x', source => 'cli', reason => '');
          }],
         ['of another kind', sub {
              redis('DEL', $LOG);
              redis('SET', $LOG, 'x');
          }])
    {
        my ($title, $spoil) = @$_;
        redis('DEL', $LOG);
        my ($token, $id) = fresh_user();
        change_user($id, 'update');
        my $nginx = store_nginx();
        warm($nginx);
        ok cached($nginx, $token), "$title: cached before";

        $change->($id);
        is verdict($nginx, $token), '200 ok', 'nothing tells of the change';
        $spoil->();
        my $s = refused_after($nginx, $token, time);
        cmp_ok $s // 9, '<', 3.5, 'the users are read again';

        if ($title !~ /another kind/) {
            ok $nginx->wait_log(qr/\[warn\].*proxy_user: the change log/),
                'the log tells of it';
            is scalar(lines($nginx->log, qr/\[warn\]/)), 1, 'once';
            ok cached($nginx, $token), 'and the cache is used again';
            $s = do {
                resume($id);
                within(2, sub { verdict($nginx, $token) eq '200 ok' });
            };
            cmp_ok $s // 9, '<', 0.5, 'the new log is followed';
        }
    }
};


# A backup has come back: what was true then is true now.
subtest 'a store that went back in time' => sub {
    redis('FLUSHALL');
    my ($token, $id) = fresh_user();
    change_user($id, 'suspend', state => 'suspended');
    my %backup = map { $_ => redis('DUMP', $_) } @{ redis('KEYS', '*') };
    is resume($id), 0, 'resumed after the backup';

    my $nginx = store_nginx();
    warm($nginx);
    ok cached($nginx, $token), 'and cached';
    is verdict($nginx, $token), '200 ok', 'as such';

    redis('MULTI');
    redis('FLUSHALL');
    redis('RESTORE', $_, 0, $backup{$_}) for sort keys %backup;
    redis('EXEC');
    my $s = refused_after($nginx, $token, time);
    cmp_ok $s // 9, '<', 3.5, 'the restored record counts';
    like $nginx->log, qr/\[warn\].*proxy_user: the change log/,
        'the log tells of it';
};


# A suspended person must not come back because data was lost.
subtest 'a store that was lost makes nobody' => sub {
    redis('FLUSHALL');
    my $nginx = store_nginx(workers => 2);
    is verdict($nginx, as('first')), '200 ok', 'a user is made';
    my $id = ask($nginx, as('first'))->{id};
    is proxy_user(qw(user suspend), $id), 0, 'and suspended';
    is refused_after($nginx, as('first'), time) < 1, 1, 'and refused';
    my $seen = redis('HGET', '{pu}:meta', 'store');
    warm($nginx);
    my @c = map { @$_ } values %{{ by_worker($nginx, 1) }};

    $nginx->mark;
    redis('FLUSHALL');
    my $s = within(4, sub {
        through($c[0], as('first')) eq '503 store_unavailable'
    });
    cmp_ok $s // 9, '<', 3.5, 'data is lost: nobody is known';
    is through($_, as('first')), '503 store_unavailable',
        'the suspended user is not made anew' for @c;
    is through($_, as('stranger')), '503 store_unavailable',
        'nor is anybody else' for @c;
    is redis('DBSIZE'), 0, 'nothing was written';
    my @line = lines($nginx->log, qr/\[error\].*proxy_user:/);
    is scalar(@line), 1, 'one line tells of it';
    like $line[0] // '', qr/proxy-user doctor --accept-store/,
        'and what to do';

    # A store with another name is not the one that was seen.
    redis('HSET', '{pu}:meta', store => 'B' x 22, schema => 1);
    is through($_, as('first')), '503 store_unavailable',
        'another store is none' for @c;
    redis('HSET', '{pu}:meta', accepted => 'C' x 22);
    is through($_, as('first')), '503 store_unavailable',
        'nor one whose like was accepted' for @c;
    redis('HSET', '{pu}:meta', store => $seen);
    redis('HDEL', '{pu}:meta', 'accepted');
    is through($_, as('back')), '200 ok', 'the one that was seen is' for @c;
    redis('FLUSHALL');

    # Where users must be known, "not here" is not known either.
    ok $nginx->reload, 'a reload is no restart';
    @c = map { @$_ } values %{{ by_worker($nginx, 1) }};
    is through($_, as('first')), '503 store_unavailable',
        'nobody is made after it' for @c;

    my ($code, $text) = proxy_user(qw(doctor --accept-store));
    is $code, 0, 'the store is accepted' or diag $text;
    for my $c (@c) {
        my $s = within(2, sub { through($c, as('first')) eq '200 ok' });
        cmp_ok $s // 9, '<', 1, 'then users are made again';
    }
    isnt ask($nginx, as('first'))->{id}, $id, 'new ones';
    is redis('HGET', '{pu}:meta', 'store'),
        redis('HGET', '{pu}:meta', 'accepted'), 'in the accepted store';

    # Lost once more: what was accepted once is not accepted for ever.
    redis('FLUSHALL');
    ok defined within(4, sub {
        through($c[0], as('first')) eq '503 store_unavailable'
    }), 'lost again';
    is through($_, as('second')), '503 store_unavailable',
        'and nobody is made again' for @c;

    $nginx = store_nginx();
    is verdict($nginx, as('second')), '200 ok', 'a restart accepts it';
};


subtest 'where users must be known, a lost store knows nobody' => sub {
    redis('FLUSHALL');
    redis('HSET', '{pu}:meta', store => 'A' x 22, schema => 1);
    my $nginx = store_nginx(http => <<'END');
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    provision known;
}
END
    my ($token) = fresh_user();
    change_user(user_id($number), 'update');
    warm($nginx);
    is verdict($nginx, $token), '200 ok', 'somebody is known';
    is verdict($nginx, as('nobody')), '403 user_unknown', 'somebody is not';

    redis('FLUSHALL');
    my $s = within(4, sub {
        verdict($nginx, $token) eq '503 store_unavailable'
    });
    cmp_ok $s // 9, '<', 3.5, 'lost: who was known is not refused';
    is verdict($nginx, as('other')), '503 store_unavailable',
        'nobody is, for nobody knows';
};


# Who follows the log may go: another takes over where it was.
subtest 'the worker that follows the log is killed' => sub {
    redis('FLUSHALL');
    my $nginx = store_nginx(workers => 2, url => $TCP,
                            expect => qr/exited on signal 9/);
    warm($nginx);

    for my $time (1 .. 3) {
        my ($token, $id) = fresh_user();
        ok cached($nginx, $token), "time $time: a user is cached";
        my $pid;
        ok defined within(3, sub { $pid = holder($nginx) }),
            'somebody follows the log';

        kill KILL => $pid;
        my $from = suspend($id);
        my $s = refused_after($nginx, $token, $from);
        cmp_ok $s // 9, '<', 2.5, sprintf 'suspended all the same, %.1f s',
            $s // 9;
        ok defined within(4, sub {
            my $now = holder($nginx);
            $now && $now != $pid;
        }), 'somebody else follows it';
        is scalar(all_workers($nginx)), 2, 'there are two workers again';
    }

    # It is only one.
    sleep 1.2;
    is scalar(grep { / cmd=xread / } split /\n/, redis('CLIENT', 'LIST')),
        1, 'one connection follows the log';
};


subtest 'the worker that follows the log goes' => sub {
    my $nginx = store_nginx(workers => 2, url => $TCP);
    warm($nginx);

    for my $time (1 .. 2) {
        my ($token, $id) = fresh_user();
        ok cached($nginx, $token), "time $time: a user is cached";
        my $from;
        ok $nginx->reload, 'reload';
        $from = suspend($id);
        my $s = refused_after($nginx, $token, $from);
        cmp_ok $s // 9, '<', 2.5, sprintf 'suspended all the same, %.1f s',
            $s // 9;
    }

    # An old worker that still serves somebody follows it, or lets others.
    my ($token, $id) = fresh_user();
    ok cached($nginx, $token), 'a user is cached';
    my $slow = $nginx->connect;
    $slow->send("POST /open HTTP/1.1\r\nHost: localhost\r\n"
                . "Content-Length: 2\r\n\r\nx");
    sleep 0.1;
    my @old = all_workers($nginx);
    ok $nginx->reload, 'reload while a request is under way';
    for my $time (1 .. 3) {
        my $from = suspend($id);
        my $s = refused_after($nginx, $token, $from);
        cmp_ok $s // 9, '<', 2.5, 'suspended';
        resume($id);
        ok defined within(2, sub { verdict($nginx, $token) eq '200 ok' }),
            'and resumed';
        sleep 0.3;
    }
    $slow->send('x');
    my $answer = $slow->answer;
    ok $answer, 'the slow one is answered';
    ok defined within(3, sub {
        !grep { my $pid = $_; grep { $_ == $pid } @old }
            $nginx->workers(qr/^nginx: worker process/)
    }), 'then the old workers go';
    ok cached($nginx, $token), 'the cache is used';
    my $s = refused_after($nginx, $token, suspend($id));
    cmp_ok $s // 9, '<', 0.5, 'and the log followed';
};


# nginx's cache manager and loader are processes of the same program.
subtest 'helper processes have no connection' => sub {
    redis('FLUSHALL');
    my $nginx = store_nginx(url => $TCP,
        http => 'proxy_cache_path $TEST_NGINX_TMP/cache keys_zone=c:1m;');
    warm($nginx);
    ok scalar($nginx->workers(qr/^nginx: cache manager/)), 'there is one';
    my @client = grep { /addr=127\.0\.0\.1/ }
        split /\n/, redis('CLIENT', 'LIST');
    is scalar(@client), 2, 'two connections: look-ups and the log';
};


# A look-up has read the user before he was suspended; its answer arrives when
# the suspension has been applied. Redis itself cannot be made to do that, so
# something in between holds back what it says to look-ups.
subtest 'a change that overtakes the look-up wins' => sub {
    redis('FLUSHALL');
    my $fake = fake_redis($redis);
    my $nginx = store_nginx(url => "redis://127.0.0.1:$fake->{port}",
                            redis => 'timeout=2s', workers => 2);
    warm($nginx);
    my %client = by_worker($nginx, 1);
    my @c = map { @$_ } values %client;

    # A request of one worker whose look-up has been answered by Redis, and
    # not yet to nginx; then a change; then what both workers make of it.
    my $race = sub {
        my ($title, $token, $change, $expected, $asked) = @_;

        $fake->mode('delay', seconds => 0.5, on => 'EVALSHA', times => 1);
        my $before = calls('evalsha');
        $c[0]->ask('GET', '/', token => $token);
        defined within(1, sub { calls('evalsha') > $before })
            or die "Redis was not asked\n";
        my $sent = time;
        $change->();
        $before = calls('evalsha') if $asked;

        my $r = answer_of($c[0]->answer);
        cmp_ok time - $sent, '>', 0.2, "$title: the answer was late";
        is "$r->{status} $r->{reason}", $expected,
            'the change has won in this request';
        is through($c[0], $token), $expected, 'and in the next';
        is through($c[1], $token), $expected, 'and in the other worker';
        is through($_, $token), $expected, 'and stays' for @c;
        cmp_ok calls('evalsha') - $before, '>=', 1, 'it was asked again'
            if $asked;
        $fake->mode('pass');
    };

    my ($token, $id) = fresh_user();
    $race->('suspended', $token, sub { suspend($id) },
            '403 user_suspended', 1);

    ($token, $id) = fresh_user();
    $race->('deleted', $token,
            sub { proxy_user(qw(user delete), $id) }, '403 user_deleted', 1);

    ($token, $id) = fresh_user();
    $race->('revoked', $token,
            sub { proxy_user(qw(user revoke), $id) }, '401 token_revoked',
            1);

    # Both ways: who was suspended is not refused by what was read before.
    ($token, $id) = fresh_user(state => 'suspended');
    $race->('resumed', $token, sub { resume($id) }, '200 ok', 1);

    # Another user's change is no reason to ask again.
    ($token, $id) = fresh_user();
    my (undef, $other) = fresh_user();
    my $before = calls('evalsha');
    $race->('somebody else', $token, sub { redis('XADD', $LOG, '*',
            op => 'update', user => $other, handle => '', version => 2,
            actor => 'x', source => 'cli', reason => '') }, '200 ok', 0);
    cmp_ok calls('evalsha') - $before, '<=', 2,
        'somebody else: it was not asked again';

    # The log is not the one that was read: everything may have changed.
    ($token, $id) = fresh_user();
    $race->('another log', $token, sub {
        redis('HSET', "{pu}:user:$id", state => 'suspended');
        redis('XADD', $LOG, '*', op => 'update');
        sleep 0.2;
    }, '403 user_suspended', 0);
    $fake->stop;
};


# The same for "no such user": who is made meanwhile is let in.
subtest 'a user who is made while he is looked for' => sub {
    redis('FLUSHALL');
    my $fake = fake_redis($redis);
    my $nginx = store_nginx(url => "redis://127.0.0.1:$fake->{port}",
                            redis => 'timeout=2s', http => <<'END');
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    provision known;
}
END
    warm($nginx);
    my $client = $nginx->connect;
    my $token = as('expected');

    $fake->mode('delay', seconds => 0.5, on => 'EVALSHA', times => 1);
    my $before = calls('evalsha');
    $client->ask('GET', '/', token => $token);
    ok defined within(1, sub { calls('evalsha') > $before }),
        'Redis has said that he is not there';
    my $id = seed_user(id => user_id(88888), sub => 'expected');
    redis('XADD', $LOG, '*', op => 'create', user => $id,
          handle => 'sub:' . handle_digest('expected'), version => 1,
          actor => 'x', source => 'cli', reason => '');

    my $r = answer_of($client->answer);
    is "$r->{status} $r->{reason}", '200 ok', 'he is let in';
    is verdict($nginx, $token), '200 ok', 'and stays in';

    # A change in every answer's way: then nobody knows, and it ends.
    my ($other, $user) = fresh_user();
    $fake->mode('delay', seconds => 0.3, on => 'EVALSHA');
    my $evalsha = calls('evalsha');
    $client->ask('GET', '/', token => $other);
    my $until = time + 1.5;
    my $answered;
    until ($answered || time > $until) {
        change_user($user, 'update');
        vec(my $read = '', fileno $client->{socket}, 1) = 1;
        $answered = select $read, undef, undef, 0.05;
    }
    ok $answered, 'a user who changes all the time: it ends';
    $r = answer_of($client->answer);
    like "$r->{status} $r->{reason}", qr/^(?:503 store_unavailable|200 ok)$/,
        'not known, or known as he was asked for';
    cmp_ok calls('evalsha') - $evalsha, '<=', 2, 'it was asked twice';
    $fake->mode('pass');
    ok defined within(2, sub { verdict($nginx, $other) eq '200 ok' }),
        'when he no longer changes he is known';
    $fake->stop;
};


done_testing();
