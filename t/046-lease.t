# One worker follows the change log for all. It may be killed, leave at a reload
# or linger: another goes on where it was, and no change is missed.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Store;
use Test::More;

use Time::HiRes qw(sleep time);

my $redis = redis_start();


# The pid that follows the log: nothing else in a worker has that connection.
sub holder {
    my ($nginx) = @_;

    my ($port) = map { /addr=127\.0\.0\.1:(\d+)/ } grep { / cmd=xread / }
        split /\n/, redis('CLIENT', 'LIST');
    return unless $port;

    my $ends = sprintf ' 0100007F:%04X 0100007F:%04X 01 ', $port,
        $redis->{port};
    my ($inode) = map { (split)[9] } grep { index($_, $ends) >= 0 }
        split /\n/, read_file('/proc/net/tcp');
    return unless $inode;

    for my $pid ($nginx->workers(qr/^nginx: worker process/)) {
        return $pid if grep { (readlink($_) // '') eq "socket:[$inode]" }
            glob "/proc/$pid/fd/*";
    }

    return;
}

my $TCP = 'redis://127.0.0.1:$TEST_NGINX_REDIS_PORT';


# Who follows the log may go: another takes over where it was.
subtest 'the worker that follows the log is killed' => sub {
    redis('FLUSHALL');
    my $nginx = store_nginx(workers => 2, url => $TCP,
                            expect => qr/exited on signal 9/);
    warm($nginx);

    for my $time (1 .. 3) {
        my ($token, $id) = a_user();
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
        my @pid = all_workers($nginx);
        is scalar(@pid), 2, 'there are two workers again';
    }

    # It is only one.
    sleep 1.2;
    is scalar(grep { / cmd=xread / } split /\n/, redis('CLIENT', 'LIST')),
        1, 'one connection follows the log';
};


subtest 'the worker that follows the log goes' => sub {
    my $nginx = store_nginx(workers => 2, url => $TCP, server => <<'END');
location = /upload {
    proxy_user off;
    proxy_pass $TEST_NGINX_BACKEND;
}
END
    warm($nginx);

    for my $time (1 .. 2) {
        my ($token, $id) = a_user();
        ok cached($nginx, $token), "time $time: a user is cached";
        my $from;
        ok $nginx->reload, 'reload';
        $from = suspend($id);
        my $s = refused_after($nginx, $token, $from);
        cmp_ok $s // 9, '<', 2.5, sprintf 'suspended all the same, %.1f s',
            $s // 9;
    }

    # An old worker that still serves somebody follows it, or lets others.
    my ($token, $id) = a_user();
    ok cached($nginx, $token), 'a user is cached';
    my $slow = $nginx->connect;
    $slow->send("POST /upload HTTP/1.1\r\nHost: localhost\r\n"
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
    is $slow->answer->{status}, 200, 'the slow one is answered';
    $slow->close;
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


done_testing();
