package ProxyUser::Redis;

# A real redis-server of the test's own, and a small client for it.
#
#   my $redis = redis_start();              free port, unix socket, no disk
#   redis_start(password => 'x')            requirepass
#   redis_start(tls => 1)                   TLS on $redis->{tls_port} as well
#   redis_start(config => [ 'maxmemory' => '2mb' ])
#   $redis->command('HGETALL', $key)        reply as Perl data; dies on -ERR
#   redis('PING')                           the same, on the last one started
#
#   seed_user(id => user_id(1), sub => 'alice', roles => 'admin')
#       writes user, handle, set and index exactly as the module would.
#   change_user($id, 'suspend', state => 'suspended')
#       changes the hash, adds one to its version and one entry to the log.
#
# $redis->{port}, {socket}, {pid}, {dir}; in a configuration
# $TEST_NGINX_REDIS_PORT, $TEST_NGINX_REDIS_SOCKET, $TEST_NGINX_REDIS_TLS_PORT
# of the last one started. Everything ends with the test.

use strict;
use warnings;

use Exporter qw(import);
use File::Temp ();
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Time::HiRes qw(sleep time);

use ProxyUser::Token qw(handle_digest issuer_url);

our @EXPORT = qw(
    redis_start redis user_id seed_user change_user free_port
    encode_command read_reply mortal patience
);

my (@started, $last, %given);


# Words to put before a command that must not outlive this process, however
# this one ends.
sub mortal {
    my ($signal) = @_;

    my ($setpriv) = grep { -x } map { "$_/setpriv" } split /:/, $ENV{PATH};
    return $setpriv ? ($setpriv, '--pdeathsig', $signal) : ();
}


# How long to wait for what takes so many seconds on a machine at rest: where
# everything runs in valgrind, TEST_PATIENCE times as long.
sub patience { $_[0] * ($ENV{TEST_PATIENCE} || 1) }


# Below the range that the system takes the ports of clients from.
sub free_port {
    for (1 .. 100) {
        my $port = 12000 + int rand 20000;
        return $port if !$given{$port}++
            && IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                     LocalPort => $port, Listen => 1);
    }

    die "no free port\n";
}


sub redis_start {
    my (%opt) = @_;

    # A port can be lost between asking for it and using it.
    for (1 .. 5) {
        my $redis = start_once(%opt);
        next unless $redis;

        $ENV{TEST_NGINX_REDIS_PORT} = $redis->{port};
        $ENV{TEST_NGINX_REDIS_SOCKET} = $redis->{socket};
        $ENV{TEST_NGINX_REDIS_TLS_PORT} = $redis->{tls_port} // '';
        return $last = $redis;
    }

    die "redis-server does not start\n";
}


sub start_once {
    my (%opt) = @_;

    my $dir = $opt{dir} // File::Temp->newdir('proxy-user-redis-XXXXXX',
                                              TMPDIR => 1);
    my $self = bless {
        dir => $dir, port => $opt{port} // free_port(),
        socket => "$dir/redis.sock", password => $opt{password},
        user => $opt{user}, owner => $$, client => {},
    };

    my @line = (
        [bind => '127.0.0.1'], [port => $self->{port}],
        [unixsocket => $self->{socket}], [dir => "$dir"],
        [save => '""'], [appendonly => 'no'], [daemonize => 'no'],
        [logfile => "$dir/redis.log"],
    );

    push @line, [requirepass => $opt{password}] if defined $opt{password};
    push @line, pairs(@{ $opt{config} || [] });

    if ($opt{tls}) {
        my $data = ProxyUser::Token::DATA;
        $self->{tls_port} = free_port();
        push @line, ['tls-port' => $self->{tls_port}],
            ['tls-cert-file' => "$data/tls-server.pem"],
            ['tls-key-file' => "$data/tls-server.key"],
            ['tls-ca-cert-file' => "$data/tls-ca.pem"],
            ['tls-auth-clients' => $opt{tls_auth} // 'no'];
    }

    open my $out, '>', "$dir/redis.conf" or die "$dir/redis.conf: $!\n";
    print $out join(' ', @$_), "\n" for @line;
    close $out;

    $self->run or return;
    push @started, $self;
    return $self;
}


sub pairs {
    my @pair;

    push @pair, [splice @_, 0, 2] while @_;
    return @pair;
}


# Starts, or starts again after stop(); what was stored is gone then.
sub run {
    my ($self) = @_;

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        open STDERR, '>&', \*STDOUT;
        { exec mortal('KILL'), 'redis-server', "$self->{dir}/redis.conf" }
        POSIX::_exit(1);
    }

    $self->{pid} = $pid;
    my $end = time + patience(5);

    while (time < $end) {
        my $up = eval { $self->command('PING'); 1 } || $@ =~ /^redis: -/;
        return 1 if $up;

        if (waitpid($pid, 1) == $pid) {
            delete $self->{pid};
            return 0;
        }

        sleep 0.01;
    }

    $self->stop;
    return 0;
}


sub stop {
    my ($self) = @_;

    $self->{client} = {};
    my $pid = delete $self->{pid} or return;

    kill CONT => $pid;
    kill KILL => $pid;
    waitpid $pid, 0;
    unlink $self->{socket};
}


sub freeze { kill STOP => $_[0]{pid} }

sub thaw { kill CONT => $_[0]{pid} }


sub stop_all {
    for (@started) {
        $_->stop if $_->{owner} == $$;
    }

    @started = ();
}


# One connection a process: a forked child must not share its parent's.
sub connection {
    my ($self) = @_;

    return $self->{client}{$$} //= do {
        my $socket = IO::Socket::UNIX->new(Peer => $self->{socket})
            or die "cannot connect to redis: $!\n";

        if (defined $self->{password}) {
            print $socket encode_command('AUTH', $self->{user} // (),
                                         $self->{password});
            my $answer = read_reply($socket);
            die "redis: -$$answer\n" if ref $answer eq 'SCALAR';
        }

        $socket;
    };
}


# After somebody else has cut the connection of this process.
sub disconnect { delete $_[0]{client}{$$} }


sub command {
    my ($self, @word) = @_;

    my $socket = $self->connection;
    print $socket encode_command(@word);
    my $reply = eval { read_reply($socket) };

    if ($@) {
        delete $self->{client}{$$};
        die $@;
    }

    die "redis: -$$reply\n" if ref $reply eq 'SCALAR';
    return $reply;
}


sub redis { $last->command(@_) }


sub encode_command {
    return join '', '*' . @_ . "\r\n",
        map { '$' . length($_) . "\r\n$_\r\n" } map { "$_" } @_;
}


# Perl data; undef for nil, a reference to its text for an error.
sub read_reply {
    my ($socket) = @_;

    local $/ = "\r\n";
    my $line = <$socket> // die "redis closed the connection\n";
    chomp $line;
    my ($type, $rest) = (substr($line, 0, 1), substr $line, 1);

    return $rest if $type eq '+' || $type eq ':';
    return \$rest if $type eq '-';

    if ($type eq '$') {
        return undef if $rest < 0;
        read($socket, my $bulk, $rest + 2) == $rest + 2
            or die "redis closed the connection\n";
        return substr $bulk, 0, $rest;
    }

    return undef if $rest < 0;
    return [map { scalar read_reply($socket) } 1 .. $rest];
}


# u_ and 22 base64url characters, told apart by a number.
sub user_id {
    my ($n) = @_;

    return 'u_' . ('A' x 17) . sprintf '%05d', $n;
}


# Fields of the user are given by name, and: sub (or subs => [ ... ]),
# issuer, handle => { fields of the handle }, prefix.
sub seed_user {
    my (%user) = @_;

    my $prefix = '{' . (delete $user{prefix} // 'pu') . '}';
    my $id = delete $user{id} // user_id(1);
    my $handle = delete $user{handle} // {};
    my $subs = delete $user{subs} // [delete $user{sub} // 'alice'];
    my $on = delete $user{on} // $last;
    my $now = int time;

    my %field = (
        name => $subs->[0], type => 'human', state => 'active',
        issuer => issuer_url(), subject => $subs->[0],
        created => $now, modified => $now, version => 1, source => 'jit',
        %user,
    );
    delete $field{$_} for grep { !defined $field{$_} } keys %field;

    $on->command('DEL', "$prefix:user:$id");
    $on->command('HSET', "$prefix:user:$id", %field);
    $on->command('ZADD', "$prefix:users", $now, $id);

    for my $sub (@$subs) {
        my $digest = handle_digest($sub, $field{issuer});
        my %record = (user => $id, state => 'active', created => $now,
                      %$handle);
        delete $record{$_} for grep { !defined $record{$_} } keys %record;

        $on->command('DEL', "$prefix:handle:sub:$digest");
        $on->command('HSET', "$prefix:handle:sub:$digest", %record);
        $on->command('SADD', "$prefix:handles:$id", "sub:$digest");
    }

    return $id;
}


# What any writer does: the fields, the version and the log in one step.
sub change_user {
    my ($id, $op, %field) = @_;

    my $prefix = '{' . (delete $field{prefix} // 'pu') . '}';
    my $on = delete $field{on} // $last;

    $on->command('MULTI');
    $on->command('HSET', "$prefix:user:$id", %field) if %field;
    $on->command('HINCRBY', "$prefix:user:$id", 'version', 1);
    $on->command('XADD', "$prefix:log", '*', op => $op, user => $id,
                 handle => '', version => '', actor => 'test',
                 source => 'cli', reason => '');
    return $on->command('EXEC');
}


1;
