# A look-up that is slower than the change it has missed: what was read before
# is neither used nor kept.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Store;
use Test::More;

use Time::HiRes qw(sleep time);

my $LOG = '{pu}:log';

# The change must be through before the answer is, and both before the timeout.
my $LATE = patience(1.2);
my $TIMEOUT = 'timeout=' . int(patience(2000)) . 'ms';

my $redis = redis_start();


# A look-up has read the user before he was suspended; its answer arrives when
# the suspension has been applied. Redis itself cannot be made to do that, so
# something in between holds back what it says to look-ups.
subtest 'a change that overtakes the look-up wins' => sub {
    redis('FLUSHALL');
    my $fake = fake_redis($redis);
    my $nginx = store_nginx(url => "redis://127.0.0.1:$fake->{port}",
                            redis => $TIMEOUT, workers => 2);
    warm($nginx);
    my %client = by_worker($nginx, 1);
    my @c = map { @$_ } values %client;

    # A request of one worker whose look-up has been answered by Redis, and
    # not yet to nginx; then a change; then what both workers make of it.
    my $race = sub {
        my ($title, $token, $change, $expected, $asked) = @_;

        $fake->mode('delay', seconds => $LATE, on => 'EVALSHA', times => 1);
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

    my ($token, $id) = a_user();
    $race->('suspended', $token, sub { suspend($id) },
            '403 user_suspended', 1);

    ($token, $id) = a_user();
    $race->('deleted', $token,
            sub { proxy_user(qw(user delete), $id) }, '403 user_deleted', 1);

    ($token, $id) = a_user();
    $race->('revoked', $token,
            sub { proxy_user(qw(user revoke), $id) }, '401 token_revoked',
            1);

    # Both ways: who was suspended is not refused by what was read before.
    ($token, $id) = a_user(state => 'suspended');
    $race->('resumed', $token, sub { resume($id) }, '200 ok', 1);

    # Another user's change is no reason to ask again.
    ($token, $id) = a_user();
    my (undef, $other) = a_user();
    my $before = calls('evalsha');
    $race->('somebody else', $token, sub { redis('XADD', $LOG, '*',
            op => 'update', user => $other, handle => '', version => 2,
            actor => 'x', source => 'cli', reason => '') }, '200 ok', 0);
    cmp_ok calls('evalsha') - $before, '<=', 2,
        'somebody else: it was not asked again';

    # An entry that names nobody we know: everything may have changed.
    ($token, $id) = a_user();
    $race->('who knows what', $token, sub {
        redis('HSET', "{pu}:user:$id", state => 'suspended');
        redis('XADD', $LOG, '*', op => 'update', user => 'nobody');
        sleep 0.2;
    }, '403 user_suspended', 0);
    $fake->stop;
};


# The same for what stands for a user: a key that is revoked while it is looked
# up, or made, or whose user is shut off.
subtest 'a key whose look-up is overtaken' => sub {
    redis('FLUSHALL');
    my $fake = fake_redis($redis);
    my $nginx = store_nginx(url => "redis://127.0.0.1:$fake->{port}",
                            redis => $TIMEOUT, workers => 2,
                            server => <<'END');
proxy_user_credential bearer api_key=X-API-Key;
END
    warm($nginx);
    my %client = by_worker($nginx, 1);
    my @c = map { @$_ } values %client;

    my $as = sub { (headers => [['X-API-Key' => $_[0]]]) };
    my $says = sub {
        my ($c, $key) = @_;
        $c->ask('GET', '/', $as->($key));
        my $r = answer_of($c->answer);
        return "$r->{status} $r->{reason}";
    };
    my $new_key = sub {
        my (undef, $id) = a_user();
        my ($code, $key) = proxy_user(qw(key create), $id);
        die "key create: $key\n" if $code;
        chomp $key;
        return ($key, $id);
    };
    my $race = sub {
        my ($title, $key, $expected, @change) = @_;

        $fake->mode('delay', seconds => $LATE, on => 'EVALSHA', times => 1);
        my $before = calls('evalsha');
        $c[0]->ask('GET', '/', $as->($key));
        ok defined within(1, sub { calls('evalsha') > $before }),
            "$title: Redis has answered the look-up";
        my $sent = time;
        is proxy_user(@change), 0, 'then it changes';

        my $r = answer_of($c[0]->answer);
        cmp_ok time - $sent, '>', 0.2, 'before nginx has heard of it';
        is "$r->{status} $r->{reason}", $expected,
            'the change has won in this request';
        is $says->($_, $key), $expected, 'and stays, in both workers'
            for @c, @c;
        $fake->mode('pass');
    };

    my ($key, $id) = $new_key->();
    $race->('a key is revoked', $key, '401 key_revoked',
            qw(key revoke), substr $key, 4, 10);

    ($key, $id) = $new_key->();
    $race->('its user is suspended', $key, '403 user_suspended',
            qw(user suspend), $id);

    ($key, $id) = $new_key->();
    $race->('its user is deleted', $key, '401 key_unknown',
            qw(user delete), $id);

    # "No such key", and then there is one: as it was before a restore.
    ($key, $id) = $new_key->();
    my ($name) = grep { !redis('HEXISTS', $_, 'label') }
        grep { redis('HGET', $_, 'user') eq $id }
        @{ redis('KEYS', '{pu}:handle:key:*') };
    my $record = redis('DUMP', $name);
    redis('DEL', $name);
    $fake->mode('delay', seconds => $LATE, on => 'EVALSHA', times => 1);
    my $before = calls('evalsha');
    $c[0]->ask('GET', '/', $as->($key));
    ok defined within(1, sub { calls('evalsha') > $before }),
        'a key that is not there';
    redis('RESTORE', $name, 0, $record);
    redis('XADD', $LOG, '*', op => 'handle_add', user => $id,
          handle => substr($name, length '{pu}:handle:'), version => 3,
          actor => 'x', source => 'cli', reason => '');
    my $r = answer_of($c[0]->answer);
    is "$r->{status} $r->{reason}", '200 ok', 'and then is: it is let in';
    is $says->($_, $key), '200 ok', 'and stays in, in both workers' for @c;
    $fake->stop;
};


# A tombstone that had to go may have been anybody's: what was read before it
# went is asked again.
subtest 'so many changes that their traces are lost' => sub {
    redis('FLUSHALL');
    my $fake = fake_redis($redis);
    my $nginx = store_nginx(url => "redis://127.0.0.1:$fake->{port}",
                            redis => 'timeout=3s', http => <<'END');
proxy_user_zone 64k;
END
    warm($nginx);
    my $client = $nginx->connect;
    my ($token, $id) = a_user();

    $fake->mode('delay', seconds => 1.5, on => 'EVALSHA', times => 1);
    my $before = calls('evalsha');
    $client->ask('GET', '/', token => $token);
    ok defined within(1, sub { calls('evalsha') > $before }),
        'Redis has answered the look-up';
    redis('EVAL', <<'END', 1, $LOG, $id);
redis.call('HSET', '{pu}:user:' .. ARGV[1], 'state', 'suspended')
redis.call('XADD', KEYS[1], '*', 'op', 'suspend', 'user', ARGV[1])
for i = 1, 3000 do
    redis.call('XADD', KEYS[1], '*', 'op', 'update',
               'user', 'u_CCCCCCCCCCCCCCCCC' .. string.format('%05d', i))
end
END
    my $r = answer_of($client->answer);
    is "$r->{status} $r->{reason}", '403 user_suspended',
        'it was asked again';
    is verdict($nginx, $token), '403 user_suspended', 'and stays so';
    $fake->stop;
};


# The same for "no such user": who is made meanwhile is let in.
subtest 'a user who is made while he is looked for' => sub {
    redis('FLUSHALL');
    my $fake = fake_redis($redis);
    my $nginx = store_nginx(url => "redis://127.0.0.1:$fake->{port}",
                            redis => $TIMEOUT, http => <<'END');
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

    $fake->mode('delay', seconds => $LATE, on => 'EVALSHA', times => 1);
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
    my ($other, $user) = a_user();
    $fake->mode('delay', seconds => 0.3, on => 'EVALSHA');
    my $evalsha = calls('evalsha');
    $client->ask('GET', '/', token => $other);
    my $until = time + 10;
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
    cmp_ok calls('evalsha') - $evalsha, '<=', 5, 'asked a few times';
    $fake->mode('pass');
    ok defined within(2, sub { verdict($nginx, $other) eq '200 ok' }),
        'when he no longer changes he is known';
    $fake->stop;
};


done_testing();
