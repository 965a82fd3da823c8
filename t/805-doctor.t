# proxy-user doctor: does it see what does not fit together in Redis, and
# nothing where all is well?

use strict;
use warnings;

use File::Basename qw(dirname);
use Test::More;

use lib dirname(__FILE__) . '/lib';
use ProxyUser::Command;
use ProxyUser::Redis qw(redis_start user_id);

my @ID = ('--issuer', 'https://idp.example.com', '--subject');

my $server = redis_start();
command_start($server);
my ($alice, $key);


END {
    local $?;
    ProxyUser::Redis::stop_all();
}


# A user with an identity and a key, by the command alone.
sub store {
    redis('FLUSHALL');
    chomp($alice = done('create', qw(user create --user-name alice),
                        qw(--external-id 7), @ID, 'alice'));
    chomp($key = done('key', qw(key create name:alice)));
    done('grant', qw(user grant name:alice reader));
}

sub key_of { my ($key) = grep { /$_[0]/ } @{ redis('KEYS', '*') };
             return $key }

sub healthy {
    my ($what) = @_;
    my $json = json($what, 'doctor');
    is($json->{faults}, 0, "$what: no fault") or diag(explain($json));
    return $json;
}

sub fault {
    my ($what, $pattern, @break) = @_;

    store();
    redis(@$_) for @break;
    my ($code, $out) = run('doctor');
    is($code, 1, "$what: exit code");
    like($out, qr/^fault +.*$pattern/m, $what);
}


subtest 'all is well' => sub {
    redis('FLUSHALL');
    healthy('an empty Redis');

    store();
    my $json = healthy('a user with a key');
    is($json->{users}, 1, 'users');
    is($json->{handles}, 2, 'handles');
    like(done('doctor', 'doctor'), qr/^records +1 users, 2 handles, 0 faults$/m,
         'for people');

    done('rotate', qw(key rotate), substr $key, 4, 10);
    done('revoke', qw(key revoke), substr $key, 4, 10);
    done('suspend', qw(user suspend name:alice));
    done('delete', qw(user delete name:alice));
    healthy('after a deletion');

    done('create', qw(user create --user-name), "u$_", @ID, "s$_")
        for 1 .. 30;
    is(healthy('thirty more')->{users}, 31, 'all are seen');

    redis('XTRIM', '{pu}:log', 'MAXLEN', 5);
    healthy('a trimmed log');
    redis('SET', 'stranger', 1);
    healthy('a key of somebody else');
};


subtest 'what does not fit' => sub {
    store();
    my $user = "{pu}:user:$alice";
    my ($handle, $sub) = map { key_of($_) } 'handle:key:', 'handle:sub:';

    fault(@$_) for (
        ['a handle without a user', qr/leads to a user who is not there/,
         ['EVAL', "redis.call('DEL', redis.call('KEYS', '{pu}:user:*')[1])",
          0]],
        ['a handle outside the set', qr/not among the handles/,
         ['EVAL', "redis.call('DEL', redis.call('KEYS', '{pu}:handles:*')[1])",
          0]],
        ['a set with more', qr/leads to a handle that is not there/,
         ['EVAL', "redis.call('SADD', redis.call('KEYS', '{pu}:handles:*')[1],"
          . " 'key:x')", 0]],
        ['a user outside the index', qr/not in the index/,
         ['DEL', '{pu}:users']],
        ['a key id that leads nowhere', qr/handle that is not there/,
         ['SET', '{pu}:keyid:abcdefghij', 'x']],
        ['a name that leads nowhere', qr/user who is not there/,
         ['SET', '{pu}:name:x', user_id(9)]],
        ['a record nginx cannot read', qr/cannot be read/,
         ['EVAL', "redis.call('HSET', redis.call('KEYS', '{pu}:user:*')[1],"
          . " 'roles', 'ADMIN')", 0]],
        ['a handle nginx cannot read', qr/cannot be read/,
         ['EVAL', "redis.call('HSET', redis.call('KEYS',"
          . " '{pu}:handle:key:*')[1], 'networks', 'office')", 0]],
        ['an index with more', qr/in the index of users and nowhere/,
         ['ZADD', '{pu}:users', 1, user_id(9)]],
        ['an index of what is no id', qr/and is no id/,
         ['ZADD', '{pu}:users', 1, 'x']],
        ['a name that leads to nobody', qr/user_name that does not lead/,
         ['EVAL', "redis.call('DEL', redis.call('KEYS', '{pu}:name:*')[1])",
          0]],
        ['a name that leads to another', qr/user_name that does not lead/,
         ['EVAL', "redis.call('SET', redis.call('KEYS', '{pu}:name:*')[1],"
          . " '*')", 0]],
        ['a user of another type', qr/is no such record/,
         ['SET', '{pu}:user:' . user_id(9), 'x']],
        ['a set of nobody', qr/leads to a user who is not there/,
         ['SADD', '{pu}:handles:' . user_id(9), 'key:x']],
        ['a group without a name', qr/is no such record/,
         ['HSET', '{pu}:group:g_x', 'version', 1]],
        ['members of no group', qr/does not fit to its group/,
         ['ZADD', '{pu}:members:g_x', 1, user_id(9)]],
        ['a member who is nobody', qr/leads to a user who is not there/,
         ['HSET', '{pu}:group:g_x', 'version', 1, 'display_name', 'x'],
         ['ZADD', '{pu}:members:g_x', 1, user_id(9)]],
        ['a member who knows nothing of it', qr/does not fit to its group/,
         ['HSET', '{pu}:group:g_x', 'version', 1, 'display_name', 'x'],
         ['EVAL', "redis.call('ZADD', '{pu}:members:g_x', 1,"
          . " redis.call('ZRANGE', '{pu}:users', 0, 0)[1])", 0]],
        ['a revoked token of another type', qr/is no such record/,
         ['HSET', '{pu}:jti:x', 'a', 1]],
        ['an entry that was deleted', qr/without an entry in the log/,
         ['EVAL', "local e = redis.call('XREVRANGE', '{pu}:log', '+', '-',"
          . " 'COUNT', 1) redis.call('XDEL', '{pu}:log', e[1][1])"
          . " redis.call('HSET', redis.call('KEYS', '{pu}:user:*')[1],"
          . " 'modified', 9999999999)", 0]],
        ['a change without an entry', qr/without an entry in the log/,
         ['EVAL', "redis.call('HSET', redis.call('KEYS', '{pu}:user:*')[1],"
          . " 'version', 9, 'modified', 9999999999)", 0]],
    );
};


# As it is, and as a user of Redis who may not do something.
subtest 'rights' => sub {
    my $as = sub {
        my ($rights) = @_;

        redis(qw(ACL SETUSER limited reset on >secret ~{pu}:* +@all),
              split ' ', $rights);
        my ($host) = "redis://limited\@127.0.0.1:$server->{port}";
        my $file = spew('password', "secret\n");
        return raw('--redis', $host, '--password-file', $file, 'doctor');
    };

    store();
    is(json('rights', 'doctor')->{refused}, '', 'all of them');
    my $before = redis('XLEN', '{pu}:log');
    like(done('rights', 'doctor'), qr/^rights +all$/m, 'for people');
    is(redis('XLEN', '{pu}:log'), $before, 'and nothing is written');

    SKIP: {
        skip 'this Redis does not say who may do what', 1
            unless redis('INFO', 'server') =~ /^redis_version:[7-9]/m;

        is(($as->(''))[0], 0, 'a user who may do all');

        my ($ops) = slurp(dirname(__FILE__) . '/../docs/store.md')
            =~ /^    ACL SETUSER ops .*?~\{pu\}:\* (.*)$/m;
        my ($code, $out, $err) = $as->("-\@all $ops");
        is($code, 0, 'one with the rights of docs/store.md') or diag($err);

        for (['-xadd', 'XADD'], ['-hset', 'HSET'], ['-xread', 'XREAD'],
             ['-hincrby', 'HINCRBY'], ['-set', 'SET'],
             ['resetkeys ~{pu}:log %R~{pu}:* %W~{pu}:user:*', 'HSET'],
             ['resetkeys ~{pu}:log %R~{pu}:* %W~{pu}:[mu]*', 'SADD'])
        {
            my ($rights, $command) = @$_;
            my ($code, $out, $err) = $as->($rights);
            is($code, 1, "$rights: refused") or diag($out, $err);
            like($err, qr/Redis refuses .*\b$command \(NOPERM\)/,
                 'and says what');
            like($out, qr/^rights +not all$/m, 'in the table too');
        }
    }

    redis(qw(CONFIG SET min-replicas-to-write 1));
    my ($code, $out, $err) = run('doctor');
    is($code, 1, 'a Redis that takes no writes');
    like($err, qr/Redis refuses HDEL \(NOREPLICAS\)/, 'and says why');
    redis(qw(CONFIG SET min-replicas-to-write 0));
    healthy('and takes them again');
};


done_testing();
