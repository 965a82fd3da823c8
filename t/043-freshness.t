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


subtest 'a suspended user is refused everywhere at once' => sub {
    my $nginx = store_nginx(workers => 2);
    my ($token, $id) = a_user();
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
    my ($token, $id, $sub) = a_user();
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
    $token = as($sub, iat => int(time) + 5);
    is through($c[0], $token), '200 ok', 'with a newer token';
    $seen->('deleted', '403 user_deleted', qw(user delete), $id);

    # More than one answer holds, the one that counts at the end.
    ($token, $id) = a_user();
    ok cached($nginx, $token), 'another user is cached';
    redis('EVAL', <<'END', 1, $LOG, $id, user_id(77777));
for i = 1, 3000 do
    redis.call('XADD', KEYS[1], '*', 'op', 'update', 'user', ARGV[2])
end
redis.call('HSET', '{pu}:user:' .. ARGV[1], 'state', 'suspended')
redis.call('XADD', KEYS[1], '*', 'op', 'suspend', 'user', ARGV[1])
END
    for my $c (@c) {
        my $s = within(3, sub {
            through($c, $token) eq '403 user_suspended'
        });
        cmp_ok $s // 9, '<', 1, 'behind 3,000 entries, suspended';
    }
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
        my ($token, $id) = a_user();
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
    my ($token, $id) = a_user();
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
    my ($token, $id) = a_user();
    change_user($id, 'update');
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


done_testing();
