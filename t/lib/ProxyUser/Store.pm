package ProxyUser::Store;

# What the tests of the store have in common: an nginx that shows what the
# module knows of a request, numbers out of Redis, the command, and ways to
# wait that say how long it took.
#
#   my $nginx = store_nginx(redis => 'timeout=2s', http => ..., server => ...,
#                           workers => 2);      ends the one before
#   store_nginx(url => undef)         no Redis; url otherwise the unix socket
#   my $r = ask($nginx, token());     { status, reason, cache, token_cache,
#                                       id, roles, scopes, name, type, ... }
#   ask($nginx, token(), '/closed')   on_unknown closed; "/" has the default
#   is verdict($nginx, token()), '200 ok'
#   verdicts($nginx, @tokens)         one connection; a count of each verdict
#   as('alice', iat => 5)             a token of alice
#
#   my %client = by_worker($nginx, 3) pid => [ connections to that worker ]
#   all_workers($nginx)               their pids, in order
#   calls('evalsha')                  so often has Redis done it
#   my @word = changed(sub { ... })   what Redis did meanwhile, but for INFO
#   warm($nginx)                      returns when users are cached
#   my $s = within(2, sub { ... })    seconds until true, undef if never
#   proxy_user(qw(user suspend), $id) the command: exit code, what it printed
#   my ($token, $id, $sub) = a_user(roles => 'admin')
#   suspend($id), resume($id)         by the command
#   through($connection, $token)      the verdict on a kept connection
#   cached($nginx, $token)            returns true when the user is a hit
#   refused_after($nginx, $token, $t) seconds after $t he is suspended, or undef
#   everything()                      every key of Redis with its value
#   lines($log, qr/\[error\]/)        the lines of a log that match
#   unavailable($nginx, 'a title', qr/.*NOAUTH/)    three tests: nobody is
#                                     known, the log says why, and once

use strict;
use warnings;

use Exporter qw(import);
use POSIX ();
use Test::More ();
use Time::HiRes qw(sleep time);

use ProxyUser::Nginx qw(start_nginx read_file);
use ProxyUser::Redis qw(patience redis seed_user user_id);
use ProxyUser::Token qw(token);

our @EXPORT = qw(
    store_nginx store_http store_server ask answer_of verdict verdicts as
    all_workers by_worker calls changed warm within proxy_user everything
    lines unavailable a_user through cached suspend resume refused_after
);

# A Redis that does not answer must not make a test wait for ever.
my $LONGEST = patience(200);

my $warm = 90000;
my $number = 0;
my $running;


$SIG{ALRM} = sub {
    print STDERR "# this takes longer than $LONGEST s\n";
    exit 1;
};
alarm $LONGEST;


# The line for Redis goes in front of what a test adds.
sub store_http {
    my (%opt) = @_;

    my $url = exists $opt{url} ? $opt{url}
                               : 'unix:$TEST_NGINX_REDIS_SOCKET';
    my $text = $opt{http} // '';
    $text = "proxy_user_redis $url @{[ $opt{redis} // '' ]};\n$text"
        if defined $url;
    return $text;
}


# Every location but one asks for a user; nothing is decided twice.
sub store_server {
    my ($more) = @_;

    return <<'END' . ($more // '');
add_header X-Reason $proxy_user_reason always;
add_header X-Cache "$proxy_user_cache" always;
add_header X-Token-Cache "$proxy_user_token_cache" always;
add_header X-Id "$proxy_user_id" always;
add_header X-Roles "$proxy_user_roles" always;
add_header X-Scopes "$proxy_user_scopes" always;
add_header X-Name "$proxy_user_name" always;
add_header X-Type "$proxy_user_type" always;
add_header X-Pid $pid always;
proxy_user on;
location / {
    try_files /index.html =404;
}
location = /open {
    proxy_user off;
    try_files /index.html =404;
}
location = /closed {
    proxy_user_on_unknown closed;
    try_files /index.html =404;
}
location = /admin {
    proxy_user_role admin;
    try_files /index.html =404;
}
END
}


# Only one at a time: another would follow the change log as well.
sub store_nginx {
    my (%opt) = @_;

    if ($running) {
        $running->stop or die "nginx does not stop\n", $running->log;
    }

    my $http = store_http(%opt);
    my $server = store_server(delete $opt{server});
    delete @opt{qw(url redis http)};
    return $running = start_nginx(%opt, http => $http, server => $server);
}


# An answer with what the module knew at the top of it.
sub answer_of {
    my ($answer) = @_;

    return { status => 0, reason => 'no answer' } unless $answer;

    my $header = $answer->{headers};
    my %known = map {
        my $name = tr/_/-/r;
        $_ => $header->{"x-$name"} // '';
    } qw(reason cache token_cache id roles scopes name type pid);

    return { %$answer, %known };
}


sub ask {
    my ($nginx, $token, $uri) = @_;

    return answer_of($nginx->get($uri // '/', $token));
}


sub verdict {
    my $r = ask(@_);

    return "$r->{status} $r->{reason}";
}


sub verdicts {
    my ($nginx, @token) = @_;

    my $c = $nginx->connect;
    my %count;

    for my $token (@token) {
        $c->ask('GET', '/', token => $token);
        my $r = answer_of($c->answer);
        $count{"$r->{status} $r->{reason}"}++;

        if ($r->{status} == 0 || $r->{headers}{connection} eq 'close') {
            $c->close;
            $c = $nginx->connect;
        }
    }

    $c->close;
    return \%count;
}


sub as {
    my ($sub, %claims) = @_;

    return token(claims => { sub => $sub, %claims });
}


# The pids of all workers there are to be: nginx listens before it has any.
sub all_workers {
    my ($nginx) = @_;

    my ($n) = read_file("$nginx->{root}/conf/nginx.conf")
        =~ /^worker_processes (\d+);/m;
    my @pid;

    defined within(5, sub { (@pid = $nginx->workers) == $n })
        or die "there are no $n workers\n", $nginx->log;
    return sort @pid;
}


# Whoever is free accepts a connection, often always the same: each worker is
# left alone with it for a moment.
sub by_worker {
    my ($nginx, $n) = @_;

    my @pid = all_workers($nginx);
    my %client;

    for my $pid (@pid) {
        my @other = grep { $_ != $pid } @pid;

        # One may be stopped with a lock that this one needs: then once more.
        for (1 .. $n + 10) {
            kill STOP => @other;
            within(1, sub { !grep { !stopped($_) } @other });
            my $c = connected($nginx, $pid);
            kill CONT => @other;

            push @{ $client{$pid} }, $c if $c;
            last if @{ $client{$pid} // [] } == $n;
        }

        die "worker $pid does not answer\n" unless $client{$pid};
    }

    return %client;
}


sub stopped { read_file("/proc/$_[0]/stat") =~ /^\d+ \(.*\) T/s }


sub connected {
    my ($nginx, $pid) = @_;

    my $c = $nginx->connect;
    $c->ask('GET', '/open');
    my $r = answer_of($c->answer(timeout => 1));

    return ($r->{pid} // '') eq $pid ? $c : undef;
}


# Redis counts what fails as well; a script's own commands are not counted
# apart from those of clients.
sub calls {
    my ($name, $redis) = @_;

    my $text = $redis ? $redis->command('INFO', 'commandstats')
                      : redis('INFO', 'commandstats');
    my ($n) = $text =~ /^cmdstat_\Q$name\E:calls=(\d+)/m;
    return $n // 0;
}


sub changed {
    my ($code) = @_;

    my $count = sub {
        return redis('INFO', 'commandstats')
            =~ /^cmdstat_([a-z|]+):calls=(\d+)/mg;
    };

    my %before = $count->();
    $code->();
    my %after = $count->();

    return sort grep { $_ ne 'info' && $after{$_} != ($before{$_} // 0) }
        keys %after;
}


# A user of the test's own is asked for until the zone knows it: then the
# change log has been read and the view is fresh.
sub warm {
    my ($nginx, %opt) = @_;

    my $sub = 'warm-' . ++$warm;
    seed_user(id => user_id($warm), sub => $sub, %opt);
    my %client = by_worker($nginx, 1);

    for my $c (map { @$_ } values %client) {
        my $hit = within(10, sub {
            $c->ask('GET', '/', token => as($sub));
            answer_of($c->answer)->{cache} eq 'hit';
        });
        die "the users do not become warm:\n", $nginx->log
            unless defined $hit;
        $c->close;
    }

    return 1;
}


sub within {
    my ($seconds, $code) = @_;

    my $start = time;
    $seconds = patience($seconds);

    do {
        return time - $start if $code->();
        sleep 0.01;
    } while (time - $start < $seconds);

    return undef;
}


# The Redis is the last one started unless an option says otherwise.
sub proxy_user {
    my (@word) = @_;

    my $command = $ENV{PROXY_USER_COMMAND} // 'build/proxy-user';
    die "there is no $command: run make first\n" unless -x $command;

    my $pid = open my $out, '-|';
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDERR, '>&', \*STDOUT;
        local $ENV{PROXY_USER_REDIS} = "unix:$ENV{TEST_NGINX_REDIS_SOCKET}";
        { exec $command, @word }
        POSIX::_exit(127);
    }

    my $text = do { local $/; <$out> } // '';
    close $out;
    my $code = $? >> 8;
    return wantarray ? ($code, $text) : $code;
}


# A user nobody has asked for yet: his token and id, and his subject.
sub a_user {
    my $n = ++$number;
    my $id = seed_user(id => user_id($n), sub => "user-$n", @_);

    return (as("user-$n"), $id, "user-$n");
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


sub everything {
    my %all;

    for my $key (@{ redis('KEYS', '*') }) {
        my $type = redis('TYPE', $key);

        $all{$key} = $type eq 'hash' ? { @{ redis('HGETALL', $key) } }
            : $type eq 'set' ? [sort @{ redis('SMEMBERS', $key) }]
            : $type eq 'zset' ? { @{ redis('ZRANGE', $key, 0, -1,
                                           'WITHSCORES') } }
            : $type eq 'stream' ? redis('XRANGE', $key, '-', '+')
            : redis('DUMP', $key);
    }

    return \%all;
}


sub lines {
    my ($text, $pattern) = @_;

    return grep { $_ =~ $pattern } split /\n/, $text;
}


sub unavailable {
    my ($nginx, $title, $pattern) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    Test::More::is_deeply(verdicts($nginx, map { as("u$_") } 1 .. 5),
                          { '503 store_unavailable' => 5 }, $title);
    Test::More::ok($nginx->wait_log(qr/for look-ups: $pattern/),
                   'the log says why') or Test::More::diag($nginx->log);
    Test::More::is(scalar(lines($nginx->log, qr/\[error\].*for look-ups/)),
                   1, 'once');
}


1;
