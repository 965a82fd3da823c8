# The command proxy-user and a Redis that is away, stuck, locked, behind TLS,
# a replica, or no Redis at all: exit 3, one sentence that says what to do,
# and never for ever.

use strict;
use warnings;

use File::Basename qw(dirname);
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

use lib dirname(__FILE__) . '/lib';
use ProxyUser::Command;
use ProxyUser::Redis qw(redis_start user_id free_port);
use ProxyUser::Token ();

my $ID = user_id(1);

my $server = redis_start();
my ($url, $tmp) = command_start($server);


END {
    local $?;
    ProxyUser::Redis::stop_all();
}


# ACLs and TLS came with Redis 6.
sub version_6 { redis('INFO', 'server') =~ /redis_version:(\d+)/ && $1 >= 6 }


subtest 'Redis cannot be reached' => sub {
    my $port = free_port();

    for my $bad ("redis://127.0.0.1:$port", "redis://[::1]:$port/3",
                 'unix:/nonexistent/redis.sock', 'unix:/' . 'x' x 200,
                 'redis://does-not-exist.invalid', "rediss://127.0.0.1:$port")
    {
        my $start = time;
        refused($bad, 3, qr/cannot reach Redis at .*--redis URL/, '--redis',
                $bad, 'user', 'list');
        cmp_ok(time - $start, '<', 15, 'soon');
    }

    for my $verb (['user', 'list'], ['user', 'show', $ID], ['log'],
                  ['log', '--follow'], ['user', 'suspend', $ID], ['doctor'],
                  ['doctor', '--accept-store']) {
        refused("@$verb", 3, qr/cannot reach/, '--redis',
                "redis://127.0.0.1:$port", @$verb);
    }
};


subtest 'Redis that does not answer' => sub {
    $server->freeze;

    my $start = time;
    refused('stuck', 3, qr/does not answer/, 'user', 'list');
    cmp_ok(time - $start, '<', 12, 'not for ever');

    $server->thaw;
    redis('PING');
};


subtest 'something that is no Redis' => sub {
    my %says = (
        'HTTP' => "HTTP/1.1 400 Bad Request\r\n\r\n",
        'nothing' => '',
        'half' => '$100' . "\r\nabc",
        'bytes' => "\0\xff\xfe" x 10,
        'nonsense' => "*1\r\n*1\r\n*1\r\n:1\r\n" x 10,
        'huge array' => "*1000000000\r\n",
        'huge string' => "\$99999999999\r\n",
        'deep' => "*1\r\n" x 1000,
    );

    for my $what (sort keys %says) {
        my $listen = IO::Socket::INET->new(Listen => 5,
                                           LocalAddr => '127.0.0.1');
        my $pid = fork // die;

        if ($pid == 0) {
            my $peer = $listen->accept;
            sysread $peer, my $in, 4096;
            syswrite $peer, $says{$what};
            close $peer;
            POSIX::_exit(0);
        }

        my ($code, $out, $err) = run('--redis', 'redis://127.0.0.1:'
                                     . $listen->sockport, 'user', 'list');
        is($code, 3, $what);
        like($err, qr/\Aproxy-user: [^\n]+\n\z/, 'one sentence');
        kill KILL => $pid;
        waitpid $pid, 0;
    }
};


subtest 'passwords' => sub {
    my $locked = redis_start(password => 'hunter2');
    my $to = "127.0.0.1:$locked->{port}";
    my $good = spew('good', "hunter2\n");
    my $bad = spew('bad', "hunter3\n");
    my @file = ('--password-file', $good);

    is((run('--redis', "redis://$to", @file, 'user', 'list'))[0], 0, 'good');
    is((run('--redis', "redis://$to/1", @file, 'log'))[0], 0,
       'with a database');
    is((run('--redis', "unix:$locked->{socket}:2", @file, 'log'))[0], 0,
       'through a socket');

    refused('none', 3, qr/NOAUTH.*--password-file/, '--redis', "redis://$to",
            'user', 'list');
    my $err = refused('wrong', 3, qr/correct the password/,
                      '--redis', "redis://$to", '--password-file', $bad,
                      'user', 'list');
    unlike($err, qr/hunter/, 'not repeated');
    refused('user', 3, version_6() ? qr/WRONGPASS/ : qr/leave the user out/,
            '--redis', "redis://eve\@$to", @file, 'log');
    refused('no file', 2, qr/nonexistent/, '--redis', "redis://$to",
            '--password-file', '/nonexistent', 'log');
    refused('database', 3, qr/database/, '--redis', "redis://$to/999",
            @file, 'log');
    refused('needless', 3, qr/leave out --password-file/, @file, 'log');

    if (version_6()) {
        is((run('--redis', "redis://default\@$to", @file, 'log'))[0], 0,
           'with a user');

        $locked->command('ACL', 'SETUSER', 'reader', 'on', '>hunter2', '~*',
                         '+@read', '+info', '+time', '-@write');
        is((run('--redis', "redis://reader\@$to", @file, 'user',
                'list'))[0], 0, 'a user who may read');
        refused('rights', 3, qr/NOPERM.*ACL SETUSER/, '--redis',
                "redis://reader\@$to", @file, 'user', 'suspend', $ID);
    }

    $locked->stop;
};


subtest 'TLS' => sub {
    plan skip_all => 'this Redis knows no TLS' unless version_6();

    my $tls = redis_start(tls => 1);
    my $to = "rediss://127.0.0.1:$tls->{tls_port}";
    my $data = ProxyUser::Token::DATA();

    my ($code, $out, $err) = run('--redis', $to, '--ca-file',
                                 "$data/tls-ca.pem", 'doctor', '--json');
    is($code, 0, 'verified') or diag($err);
    is(json_of($out)->{redis}, $to, 'reached');

    refused('other CA', 3, qr/certificate is not accepted/, '--redis', $to,
            '--ca-file', "$data/tls-other-ca.pem", 'log');
    refused('system CAs', 3, qr/certificate is not accepted/, '--redis', $to,
            'log');
    refused('no CA file', 3, qr/no certificates can be read/, '--redis', $to,
            '--ca-file', '/nonexistent', 'log');
    refused('not TLS', 3, qr/TLS|closed|does not answer/, '--redis',
            "rediss://127.0.0.1:$tls->{port}", '--ca-file',
            "$data/tls-ca.pem", 'log');
    refused('TLS met in clear', 3, qr/lost Redis|does not/, '--redis',
            "redis://127.0.0.1:$tls->{tls_port}", 'log');

    SKIP: {
        my @names = map { s/^DNS://r } grep { /^DNS:/ } split /[\s,]+/,
            `openssl x509 -in $data/tls-server.pem -noout -ext subjectAltName`;
        skip 'the certificate is for localhost as well', 1
            if grep { $_ eq 'localhost' } @names;
        refused('other name', 3, qr/not accepted/, '--redis',
                "rediss://localhost:$tls->{tls_port}", '--ca-file',
                "$data/tls-ca.pem", 'log');
    }

    $tls->stop;
};


subtest 'a replica' => sub {
    fresh();
    redis('HSET', '{pu}:meta', store => 'S');
    redis('CONFIG', 'SET', 'replica-read-only', 'yes');
    redis('REPLICAOF', '127.0.0.1', free_port());

    is((run('user', 'list'))[0], 0, 'can be read');
    refused('change', 3, qr/READONLY.*primary/, 'user', 'suspend', $ID);
    my ($code, $out, $err) = run('doctor');
    is($code, 1, 'doctor');
    like($err, qr/replica/, 'says so');

    redis('REPLICAOF', 'NO', 'ONE');
};


done_testing();
