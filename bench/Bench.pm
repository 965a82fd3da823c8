package Bench;

# What the measures share: an nginx whose locations are twins, a backend for
# it, load, and numbers read so that a busy machine says the same as an idle
# one. Keys, tokens, Redis and nginx are those of the tests.
#
#   use lib "$FindBin::Bin", "$FindBin::Bin/../t/lib";
#   use Bench;
#
#   need('wrk');                     or say which package has it, and end
#   my $backend = backend();         "address:port" of an nginx of its own
#   my $nginx = gate(server => ..., workers => 2, redis => 'timeout=50ms');
#   my $token = caller_token(7);     about 700 bytes, RS256; user 7
#   my $load = load($nginx, '/on', $token, seconds => 0.5)
#                                    { requests, seconds, p99 (ms), refused,
#                                    broken }
#   my $it = start_load($nginx, '/x', $token, seconds => 20); end_load($it)
#                                    \@tokens: one after the other;
#                                    header => 'X-API-Key: ' for keys
#   pin($pid, 'gate'); cpu_ns($pid)
#   my $c = connection($nginx); my ($status, $ms, $text) = fetch($c, '/')
#                                    fetch($c, '/', $key, 'X-API-Key: ')
#   my @pair = abba(10, $a, $b)      code refs that return numbers
#   median(@n), spread('%.3f', @n), percentile(99, @n), ratio($pair[0])
#   title('...'); row('name', 'format %d', ...)

use strict;
use warnings;

use Cwd ();
use Exporter qw(import);
use File::Copy qw(copy);
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(sleep time);

# make may replace the module while it is measured, and an nginx that has it
# mapped would die of that: it gets a copy.
BEGIN {
    my $root = Cwd::abs_path(__FILE__) =~ s{/bench/[^/]+\z}{}r;
    chdir $root or die "$root: $!\n";

    require ProxyUser;
    ProxyUser->import;

    my $copy = "$ProxyUser::Nginx::tmp/module.so";
    copy($ENV{PROXY_USER_MODULE}, $copy) or die "$copy: $!\n";
    $ENV{PROXY_USER_MODULE} = $copy;
}

our @EXPORT = (@ProxyUser::EXPORT, qw(
    need backend gate workers json_formats identity_headers limited_profile
    caller_name caller_token
    seed_callers load start_load end_load pin processor cpu_ns connection fetch until_warm calls abba
    median spread percentile ratio title row
));

my %package = (
    wrk => 'wrk', valgrind => 'valgrind', callgrind_annotate => 'valgrind',
    callgrind_control => 'valgrind', taskset => 'util-linux',
    'redis-server' => 'redis-server',
);

my $tmp = $ProxyUser::Nginx::tmp;
my $bearer = 'Authorization: Bearer ';
my @running;
my $loads = 0;


sub need {
    my @missing = grep {
        my $name = $_;
        !grep { -x "$_/$name" } split /:/, $ENV{PATH};
    } @_;
    return unless @missing;

    my %from = map { $package{$_} => 1 } @missing;
    print STDERR 'bench: no ', join(', ', @missing),
        ': apt-get install ', join(' ', sort keys %from), "\n";
    exit 2;
}


# The processor of the worker that is measured ("gate") and the one for all
# others; the same if there is only one.
sub processor {
    my ($role) = @_;

    my ($list) = read_file('/proc/self/status')
        =~ /^Cpus_allowed_list:\s*(\S+)/m;
    my @all = map { /(\d+)-(\d+)/ ? $1 .. $2 : $_ } split /,/, $list;
    return $role eq 'gate' ? $all[0] : $all[-1];
}


sub pin {
    my ($pid, $role) = @_;

    open my $out, '-|', 'taskset', '-pc', processor($role), $pid
        or die "taskset: $!\n";
    my @said = <$out>;
    close $out or die "taskset cannot pin $pid\n";
}


# What the process itself has run, in nanoseconds: what others do meanwhile
# is not in it.
sub cpu_ns {
    my ($pid) = @_;

    my ($ns) = read_file("/proc/$pid/schedstat") =~ /^(\d+)/
        or die "no /proc/$pid/schedstat\n";
    return $ns;
}


# A backend in a process of its own: its work is not the gate's.
sub backend {
    my (%opt) = @_;

    my $nginx = start_nginx(
        bare => 1, http => "keepalive_requests 100000000;\n"
                         . "keepalive_timeout 1h;\n", %opt,
        location => 'return 200 "a short answer of a backend\n";');

    pin($_, 'load') for workers($nginx);
    return "127.0.0.1:$nginx->{port}";
}


# The pids of its workers, which it starts after it has begun to listen.
sub workers {
    my ($nginx, $n) = @_;

    for (1 .. 500) {
        my @pid = $nginx->workers;
        return @pid if @pid >= ($n // 1);
        sleep 0.01;
    }

    die "nginx has not started its workers:\n", $nginx->log;
}


# An nginx with the module, Redis, and the upstream "backend" over keep-alive.
#   backend => "address:port"     redis => more words of proxy_user_redis
#   zone => '16m'                 without => 1: not even the module
#   embedded => 1: no Redis       keepalive => 64 of the backend
#   http, server, workers and the rest are start_nginx's
sub gate {
    my (%opt) = @_;

    my $redis = delete $opt{redis} // '';
    my $zone = delete $opt{zone} // '16m';
    my $keepalive = delete $opt{keepalive} // 64;
    my $http = "keepalive_requests 100000000;\n";

    if (my $backend = delete $opt{backend}) {
        $http .= <<"CONF";
proxy_http_version 1.1;
proxy_set_header Connection "";
upstream backend {
    server $backend;
    keepalive $keepalive;
    keepalive_requests 100000000;
}
CONF
    }

    local $ENV{PROXY_USER_MODULE} = '' if $opt{without};

    my $store = delete $opt{embedded} ? ''
        : "proxy_user_redis unix:\$TEST_NGINX_REDIS_SOCKET $redis;";

    $http .= <<"CONF" unless delete $opt{without};
proxy_user_zone $zone;
$store
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file \$TEST_NGINX_KEYS/jwks.json;
    role_map reader reader;
    role_map writer writer;
    role_map auditor auditor;
    role_map editor editor;
}
CONF

    return start_nginx(log_level => 'notice', %opt, bare => 1,
                       http => $http . ($opt{http} // ''));
}


# Two formats for access_log. "plain" has as many fields as an audit line, all
# of which nginx knows without the module; "same" has the fields of the audit
# line, by the module's variables: not where the first alone is asked for.
sub json_formats {
    my @both = map { [$_ => $_] } qw(
        request_id status request_method host uri remote_addr bytes_sent
        request_time upstream_status);
    my @plain = map { [$_ => $_] } qw(
        time_iso8601 msec remote_port scheme server_protocol server_port
        request_length body_bytes_sent connection connection_requests
        upstream_addr upstream_response_time upstream_connect_time
        upstream_header_time upstream_bytes_received http_user_agent);
    my @same = ([time => 'time_iso8601'],
        map { [$_ => "proxy_user_$_"] } qw(
        decision reason id name type issuer subject handle credential roles
        scopes rule time cache token_cache));

    my $plain = log_format('plain', @both, @plain);
    return $_[0] ? $plain : $plain . log_format('same', @both, @same);
}


sub log_format {
    my ($name, @field) = @_;

    return "log_format $name escape=json '{"
        . join(',', map { "\"$_->[0]\":\"\$$_->[1]\"" } @field) . "}';\n";
}


# A location's own lines replace all it would inherit.
sub identity_headers {
    return join ' ', 'proxy_set_header Connection "";',
        map { "proxy_set_header X-Proxy-User-\u$_ \$proxy_user_$_;" }
            qw(id name roles);
}


# Every limit, none of them reached.
sub limited_profile { <<'CONF' }
proxy_user_profile reader {
    methods GET;
    rate 1000000r/s burst=1000000;
    quota 1000000000 per month;
    concurrency 1000;
}
CONF


# A subject of 36 bytes, as providers make them.
sub caller_name { sprintf '7d0c2f5e-3b1a-4c68-9e57-%012d', $_[0] }


# Three roles, three scopes, and what providers put beside them; of RS256, or
# of another "alg".
sub caller_token {
    my ($n, %claims) = @_;

    return token(alg => delete $claims{alg} // 'RS256', claims => {
        sub => caller_name($n), azp => 'portal',
        roles => [qw(reader writer auditor)],
        scope => 'read write profile', preferred_username => "caller-$n",
        %claims,
    });
}


# Many users at once, as the module would have written them.
sub seed_callers {
    my ($redis, $from, $to) = @_;

    my $client = $redis->connection;
    my $now = int time;

    while ($from <= $to) {
        my $last = $from + 499 > $to ? $to : $from + 499;
        my @command = map { caller_record($_, $now) } $from .. $last;

        print $client join '', map { encode_command(@$_) } @command;
        read_reply($client) for @command;
        $from = $last + 1;
    }
}


sub caller_record {
    my ($n, $now) = @_;

    my ($id, $sub) = (user_id($n), caller_name($n));
    my $digest = handle_digest($sub);

    return (
        ['HSET', "{pu}:user:$id", name => "caller-$n", type => 'human',
         state => 'active', issuer => issuer_url(), subject => $sub,
         created => $now, modified => $now, version => 1, source => 'jit'],
        ['ZADD', '{pu}:users', $now, $id],
        ['HSET', "{pu}:handle:sub:$digest", user => $id, state => 'active',
         created => $now],
        ['SADD', "{pu}:handles:$id", "sub:$digest"]);
}


# How often Redis has done each command.
sub calls {
    my ($redis) = @_;

    return { $redis->command('INFO', 'commandstats')
                 =~ /^cmdstat_([a-z|]+):calls=(\d+)/mg };
}


# Load. wrk takes whole seconds only, but ends well at an interrupt.

my $lua = <<'LUA';
done = function(summary, latency)
    local e = summary.errors
    io.write(string.format("numbers %d %d %d %d %d\n", summary.requests,
        summary.duration, latency:percentile(99), e.status,
        e.connect + e.read + e.write + e.timeout))
end
LUA

# Each token of a file in turn, its request made beforehand.
my $lua_tokens = <<'LUA';
local requests, n = {}, 0
init = function(args)
    for line in io.lines(args[1]) do
        requests[#requests + 1] = wrk.format("GET", nil,
            { [args[2]] = args[3] .. line })
    end
end
request = function()
    n = n % #requests + 1
    return requests[n]
end
LUA


sub start_load {
    my ($nginx, $uri, $token, %opt) = @_;

    my $header = $opt{header} // $bearer;
    my @script = ('-s', "$tmp/wrk.lua");
    my @tokens;
    write_file('wrk.lua', $lua) unless -f $script[1];

    if (ref $token) {
        my $file = 'tokens.' . ++$loads;
        @script = ('-s', "$tmp/wrk-tokens.lua");
        @tokens = ('--', "$tmp/$file", split /: /, $header, 2);
        write_file('wrk-tokens.lua', $lua_tokens . $lua);
        write_file($file, join "\n", @$token, '');
        undef $token;
    }

    my $pid = open my $out, '-|';
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDERR, '>', '/dev/null';
        { exec ProxyUser::Redis::mortal('KILL'), 'taskset', '-c',
          processor('load'), 'wrk', '-t1', '-c', $opt{connections} // 16,
          '-d', POSIX::ceil($opt{seconds}) + 1, @script,
          (defined $token ? ('-H', "$header$token") : ()),
          "http://127.0.0.1:$nginx->{port}$uri", @tokens }
        POSIX::_exit(127);
    }

    push @running, my $load = { pid => $pid, out => $out };
    return $load;
}


sub end_load {
    my ($load) = @_;

    @running = grep { $_->{pid} != $load->{pid} } @running;
    kill CONT => $load->{pid};

    # Only its first thread wakes up from an interrupt, and it is not always
    # the one that gets it. All it says comes at its end.
    my $ends = IO::Select->new($load->{out});
    do { kill INT => $load->{pid} } until $ends->can_read(0.1);

    my $text = do { local $/; readline $load->{out} } // '';
    close $load->{out};

    my ($requests, $us, $p99, $refused, $broken)
        = $text =~ /^numbers (\d+) (\d+) (\d+) (\d+) (\d+)$/m
        or die "wrk said: $text\n";

    return { requests => $requests, seconds => $us / 1e6,
             p99 => $p99 / 1e3, refused => $refused, broken => $broken };
}


sub load {
    my ($nginx, $uri, $token, %opt) = @_;

    my $load = start_load($nginx, $uri, $token, %opt);
    sleep $opt{seconds};
    return end_load($load);
}


# A client with no more to it than is needed: one connection, one answer after
# the other. fetch returns the status (0: closed), ms, and the answer.

sub connection {
    my ($nginx) = @_;

    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $nginx->{port})
        or die "cannot connect to nginx: $!\n";
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    return $socket;
}


sub fetch {
    my ($socket, $uri, $token, $header) = @_;

    $header //= $bearer;
    local $SIG{PIPE} = 'IGNORE';
    my $start = time;
    my $buffer = '';

    syswrite $socket, "GET $uri HTTP/1.1\r\nHost: localhost\r\n"
        . (defined $token ? "$header$token\r\n" : '')
        . "\r\n";

    while (1) {
        my $n = sysread $socket, $buffer, 65536, length $buffer;
        return (0, 1000 * (time - $start), $buffer) unless $n;

        my $at = index $buffer, "\r\n\r\n";
        next if $at < 0;

        my ($length) = $buffer =~ /^Content-Length: (\d+)/mi;
        last if length $buffer >= $at + 4 + ($length // 0);
    }

    return (substr($buffer, 9, 3), 1000 * (time - $start), $buffer);
}


# Until the change log has been read and the zone knows this user. The
# location adds X-Cache "$proxy_user_cache $proxy_user_token_cache".
sub until_warm {
    my ($nginx, $uri, $token) = @_;

    my $hits = 0;

    for (1 .. 500) {
        my $socket = connection($nginx);
        my (undef, undef, $text) = fetch($socket, $uri, $token);
        close $socket;

        $hits = $text =~ /^X-Cache: hit hit\r/m ? $hits + 1 : 0;
        return if $hits >= 8;
        sleep 0.02;
    }

    die "the user does not become warm:\n", $nginx->log;
}


# Numbers.

sub median {
    my @n = sort { $a <=> $b } @_;

    return @n % 2 ? $n[$#n / 2] : ($n[@n / 2 - 1] + $n[@n / 2]) / 2;
}


sub percentile {
    my ($p, @n) = @_;

    @n = sort { $a <=> $b } @n;
    return $n[POSIX::ceil($p / 100 * @n) - 1];
}


# "median (min .. max)"
sub spread {
    my ($format, @n) = @_;

    @n = sort { $a <=> $b } @n;
    return sprintf "$format ($format .. $format)", median(@n), @n[0, -1];
}


# Each round measures both twice, A B B A: what drifts hits both alike. A
# measure returns a list of numbers; the result has for each of them the
# means of A and those of B, round by round.
sub abba {
    my ($rounds, @measure) = @_;

    my @result;

    for my $round (0 .. $rounds - 1) {
        for my $i (0, 1, 1, 0) {
            my @n = $measure[$i]->();
            $result[$_][$i][$round] += $n[$_] / 2 for 0 .. $#n;
        }
    }

    return @result;
}


# The rounds' ratios of B to A.
sub ratio {
    my ($pair) = @_;

    return map { $pair->[1][$_] / $pair->[0][$_] } 0 .. $#{ $pair->[0] };
}


# Text.

sub title { print "\n$_[0]\n" }


sub row {
    my ($name, $format, @value) = @_;

    printf "  %-40s $format\n", $name, @value;
}


END {
    for (@running) {
        kill KILL => $_->{pid};
        close $_->{out};
    }
}


STDOUT->autoflush;

1;
