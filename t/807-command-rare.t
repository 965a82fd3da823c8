# The command proxy-user and what hardly ever happens to it: a URL that is too
# long, moments with an offset, records in Redis that somebody has spoilt, and
# answers that no Redis gives. Each is refused by one sentence that names it.

use strict;
use warnings;

use File::Basename qw(dirname);
use Test::More;

use lib dirname(__FILE__) . '/lib';
use ProxyUser::Command;
use ProxyUser::FakeRedis;
use ProxyUser::Redis qw(redis_start user_id seed_user);

my $ID = user_id(1);

my $server = redis_start();
my ($url, $tmp) = command_start($server);


END {
    local $?;
    ProxyUser::FakeRedis::stop_all();
    ProxyUser::Redis::stop_all();
}


subtest 'addresses and moments' => sub {
    refused('user', 2, qr/user name in the Redis URL must have 1 to/,
            '--redis', 'redis://' . 'u' x 3000 . '@127.0.0.1', 'log');
    refused('nobody', 2, qr/user name in the Redis URL must have 1 to/,
            '--redis', 'redis://@127.0.0.1', 'log');
    refused('path', 2, qr/path is too long/, '--redis',
            'unix:/' . 'x' x 5000, 'log');

    fresh();
    for my $since ('2026-01-31T12:00:00-05:30', '2026-01-31T12:00:00+05:30') {
        done($since, 'log', '--since', $since);
    }
    refused('before 1970', 2, qr/is no time for --since/, 'log', '--since',
            '1969-01-01');
    refused('no hour', 2, qr/is no time for --since/, 'log', '--since',
            '2026-01-31Tnoon');
    refused('subject', 2, qr/--subject has/, 'user', 'link', $ID,
            '--issuer', 'https://i.example.com', '--subject', "a\nb");
    refused('decryption key', 2, qr/--decryption-key: .*nonexistent/,
            'token', 'check', '--secret', spew('secret', 'x' x 64),
            '--decryption-key', '/nonexistent', 'x');
};


subtest 'records that were spoilt' => sub {
    fresh();
    my $key = json('a key', 'key', 'create', $ID)->{id};
    redis('SET', "{pu}:keyid:$key", 'x');
    refused('id of a key', 1, qr/record \S*keyid:\Q$key\E that leads/,
            'key', 'revoke', $key);

    fresh();
    $key = json('a key', 'key', 'create', $ID)->{id};
    my ($handle) = @{ redis('KEYS', '{pu}:handle:key:*') };
    redis('HDEL', $handle, 'user');
    refused('user of a key', 1, qr/key \Q$key\E cannot be read/, 'key',
            'rotate', $key);
    my $list = json('a list', 'key', 'list', $ID);
    is($list->{keys}[0]{state}, 'unreadable', 'is shown so');
    like(done('for people', 'key', 'list', $ID), qr/unreadable/,
         'for people too');

    fresh();
    redis('DEL', "{pu}:handles:$ID");
    redis('SET', "{pu}:handles:$ID", 'x');
    refused('handles', 1, qr/handles of user \Q$ID\E cannot be read/, 'key',
            'list', $ID);

    fresh();
    redis('HSET', "{pu}:user:$ID", name => "\xf0\x9f\x98\x80 \xf0\x9f x\xc0");
    like(done('four bytes', 'user', 'show', $ID),
         qr/\xf0\x9f\x98\x80 \\xf0\\x9f x\\xc0/, 'shown, the rest is not');
};


subtest 'answers that no Redis gives' => sub {
    fresh();
    my $fake = fake_redis($server);
    my @to = ('--redis', "redis://127.0.0.1:$fake->{port}");

    $fake->mode('integer', on => 'EVALSHA');
    refused('a change', 3, qr/answer that makes no sense/, @to, 'user',
            'suspend', $ID);
    refused('a user', 3, qr/answer that makes no sense/, @to, 'user',
            'create', '--user-name', 'x');
    is(user('state'), 'active', 'nothing was changed');

    for my $case (['HMGET', 'user', 'show', $ID], ['SCARD', 'user', 'show',
                  $ID], ['TIME', 'key', 'list', $ID], ['SSCAN', 'key',
                  'list', $ID], ['HMGET', 'user', 'resume', $ID],
                  ['XRANGE', 'doctor'], ['SCAN', 'doctor'],
                  ['ZSCAN', 'doctor'], ['INFO', 'doctor'],
                  ['EVALSHA', 'doctor'], ['XREVRANGE', 'log', '--follow'],
                  ['TIME', 'log', '--since', '10m']) {
        my ($on, @words) = @$case;
        $fake->mode('loading', on => $on);
        refused("LOADING for $on: @words", 3,
                qr/LOADING.*try again when it has loaded/, @to, @words);
    }

    $fake->mode('reply', on => 'TIME',
                bytes => "*2\r\n\$12\r\n999999999999\r\n\$1\r\n0\r\n");
    refused('a year far away', 3, qr/tells a time that makes no sense/, @to,
            'doctor');
    $fake->mode('reply', on => 'TIME',
                bytes => "*2\r\n\$1\r\n5\r\n\$1\r\n0\r\n");
    my ($code, $out, $err) = run(@to, 'doctor');
    is($code, 1, 'no log');
    like($err, qr/there are users but no log/, 'comes first');

    done('a change', 'user', 'suspend', $ID);
    ($code, $out, $err) = run(@to, 'doctor');
    is($code, 1, 'another clock');
    like($err, qr/clocks of Redis at .* differ by -\d+\.\d+ s; set/, 'named');
};


done_testing();
