# An nginx that uses all of the module: reloads while requests of every kind
# come and while they wait, users who lose their access meanwhile, and what is
# left of it afterwards. `make endure` does the same at length.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Everything;
use ProxyUser::Redis qw(patience);
use Test::More;

use POSIX ();
use Time::HiRes qw(sleep time);

my $nginx = everything();

sub all_right {
    my ($said, $title) = @_;

    is_deeply $said->{wrong}, {}, "$title: every answer is right"
        or diag join "\n", sort(keys %{ $said->{wrong} }), $nginx->log;
    cmp_ok $said->{sent}, '>', 300, "$title: and there are some";
}

sub gone {
    my $end = time + patience(10);

    while ($nginx->workers(qr/^nginx: worker process is/)) {
        return 0 if time > $end;
        sleep 0.05;
    }

    return 1;
}


# Whoever waits for Redis is waited for.

for my $title (qw(once twice)) {
    my @wait = waiting($nginx);
    ok $nginx->reload, "a reload while they wait, $title";
    $nginx->{redis}->thaw;

    for (@wait) {
        my ($name, $right, $c) = @$_;
        my $answer = $c->answer(timeout => 10);
        like $answer ? "$answer->{status} "
            . ($answer->{headers}{'x-reason'} // '') : 'cut', $right,
            "$name is answered, $title";
        $c->close;
    }

    ok gone(), 'then the old workers go';
    ok well($nginx), 'and all is well';
}


# Reloads without a pause.

my @size;

for my $count (3, 12) {
    my $mix = begin_mix($nginx, clients => 2);
    is scalar(grep { $nginx->reload } 1 .. $count), $count, "$count reloads";
    all_right(end_mix($mix), 'meanwhile');
    ok gone(), 'no old worker stays';
    push @size, footprint($nginx);
}

is $size[1]{master_files}, $size[0]{master_files},
    'the master has as many descriptors as before';
cmp_ok abs($size[1]{files} - $size[0]{files}), '<=', 2, 'so have workers';


# Requests, and users who lose their access.

my $mix = begin_mix($nginx, clients => 2, requests => 2000);
is_deeply [revoked($nginx)], [], 'who is revoked gets no further';
is streams($nginx), 0, 'and no open response goes on';
all_right(end_mix($mix), 'requests');
push @size, footprint($nginx);
cmp_ok $size[2]{files}, '<=', $size[1]{files} + 2, 'no descriptor is kept';

SKIP: {
    skip 'a sanitizer and valgrind have memory of their own', 2
        if $ENV{PROXY_USER_MODULE} eq '';
    my $master = $size[2]{master} - $size[0]{master};
    cmp_ok $master, '<', 500, "the master is no larger ($master KiB)";
    my $worker = $size[2]{worker} - $size[1]{worker};
    cmp_ok $worker, '<', 2000, "nor is a worker ($worker KiB)";
}

ok $nginx->stop, 'an end';
ok !$nginx->trouble, 'and no trouble';


# A configuration that takes longer to read than Redis may for an answer: here
# because of a file that nobody reads yet. Meanwhile the workers of before
# fetch keys. The new ones begin with the time of then, and know it.

my $pipe = write_file('pipe', '');
unlink $pipe;
POSIX::mkfifo($pipe, 0600) or die "$pipe: $!\n";

my $idp = fake_issuer();
$idp->discovers(jwks(jwk('rsa1')));
my %settings = (http => <<"END", server => <<'END');
proxy_user_redis unix:\$TEST_NGINX_REDIS_SOCKET timeout=1s;
proxy_user_issuer idp { issuer $idp->{url}; audience api; }
END
add_header X-Reason $proxy_user_reason always;
proxy_user on;
location / { try_files /index.html =404; }
END

sub of_idp {
    my ($sub, %opt) = @_;
    return token(%opt, claims => { iss => $idp->{url}, sub => $sub });
}

sub reason { $nginx->get('/', $_[0])->{headers}{'x-reason'} }

$nginx = start_nginx(%settings);
ok $idp->wait_count('/jwks', 1), 'keys are fetched';
is reason(of_idp('first')), 'ok', 'and known';

my ($old) = $nginx->all_workers(1);
$nginx->configure(%settings, http => "access_log $pipe;\n$settings{http}");
$nginx->signal('HUP');
ok $nginx->wait_log(qr/\[notice\].*: reconfiguring/), 'a reload';
sleep 2;
is reason(of_idp('second', kid => 'else')), 'token_key_unknown',
    'for a key that nobody has';
ok $idp->wait_count('/jwks', 2), 'the set is fetched once more';
$nginx->mark;
sysopen my $reader, $pipe, POSIX::O_RDONLY() | POSIX::O_NONBLOCK() or die $!;
my $end = time + patience(10);
sleep 0.02 while grep({ $_ == $old } $nginx->workers) && time < $end;

is reason(of_idp("new $_")), 'ok', 'whom nobody knows is let in' for 1 .. 3;
unlike $nginx->log, qr/proxy_user: .*(?:not available|no longer)/,
    'Redis and the keys are not given up';
ok $nginx->stop, 'an end';

done_testing;
