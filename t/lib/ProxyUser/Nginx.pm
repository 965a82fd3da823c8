package ProxyUser::Nginx;

# An nginx for scripts that do not fit into Test::Nginx blocks, and what both
# kinds of test share: a client, the logs, signals.
#
#   my $nginx = start_nginx(http => ..., server => ..., main => ...,
#                           workers => 2, log_level => 'debug');
#   my $answer = $nginx->get('/a', token(), Accept => 'text/html');
#   $answer->{status}, {headers}{'www-authenticate'}, {body}, {raw}
#   $nginx->ask('POST', '/a', headers => [ [ Host => 'b' ] ], body => '...')
#   $nginx->raw("GET / HTTP/1.1\r\n...")      list of answers, until closed
#   my $c = $nginx->connect; $c->send(...); $c->answer; $c->reset; $c->close
#   $nginx->reload; $nginx->signal('USR1'); $nginx->stop
#   start_nginx(text => sub { my ($root, $port) = @_; ... })   all of it
#   $nginx->workers, $nginx->all_workers(2)        their pids
#   $nginx->configure(http => ..., server => ...)  as start_nginx, for reload
#   $nginx->mark; ...; $nginx->wait_log(qr/.../, 2); $nginx->log
#   my ($ok, $text) = nginx_t(http => ..., location => ...);
#   my @result = parallel(20, sub { my ($i) = @_; ...; return $data });
#   my @line = audit_lines($file); wait_audit($file, 3)
#
# block_nginx() is the nginx that Test::Nginx runs, for its init sections.

use strict;
use warnings;

use Encode ();
use Exporter qw(import);
use File::Temp ();
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(sleep time);

use ProxyUser::Redis qw(free_port mortal patience);

our @EXPORT = qw(
    start_nginx nginx_t block_nginx parallel audit_lines wait_audit
    write_file read_file standard_http
);

our $tmp;           # the test's directory, set by ProxyUser
my @started;
my $json = JSON::PP->new->utf8;
my $strict = JSON::PP->new;


sub binary { $ENV{TEST_NGINX_BINARY} || 'nginx' }


# A file of the test; its path.
sub write_file {
    my ($name, $text) = @_;

    my $file = $name =~ m{^/} ? $name : "$tmp/$name";
    open my $out, '>:raw', $file or die "$file: $!\n";
    print $out $text;
    close $out;
    return $file;
}


sub read_file {
    my ($file) = @_;

    open my $in, '<:raw', $file or return '';
    local $/;
    return <$in> // '';
}


sub load_module {
    my $module = $ENV{PROXY_USER_MODULE};

    return $module eq '' ? '' : "load_module $module;\n";
}


# What every configuration gets that does not bring its own.
sub standard_http {
    my ($http) = @_;

    $http //= '';
    my $text = '';
    $text .= "proxy_user_zone 2m;\n" unless $http =~ /\bproxy_user_zone\b/;
    $text .= <<"END" unless $http =~ /\bproxy_user_issuer\b/;
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $ENV{TEST_NGINX_KEYS}/jwks.json;
    role_map reader reader;
    role_map writer writer;
    role_map admin admin;
}
END
    $text .= <<"END";
server {
    listen 127.0.0.1:$ENV{TEST_NGINX_BACKEND_PORT};
    access_log off;
    proxy_user off;
    location / {
        add_header X-Backend yes;
        return 200 "\$request_method \$request_uri\\n";
    }
}
END
    return $text . $http;
}


# A configuration that stands for itself, an example: its text is given by
# text => sub { my ($root, $port) = @_; ... }. What a test needs of nginx is
# put in front.
sub whole {
    my ($text) = @_;

    my $user = $> == 0 ? "user root;\n" : '';
    return "daemon off;\npid logs/nginx.pid;\n"
        . "error_log logs/error.log info;\n$user$text";
}


# $TEST_NGINX_ANYTHING stands for the variable of the environment, as in the
# blocks of Test::Nginx.
sub expand {
    my ($text) = @_;

    $text =~ s/\$(TEST_NGINX_[A-Z0-9_]+)/
        $ENV{$1} \/\/ die "there is no $1\n"/xge;
    return $text;
}


# Where all is slow, an answer of Redis is as well.
sub patient {
    my ($text) = @_;

    my $time = int patience(100);
    return $text unless $time > 100;
    return $text =~ s/(\bproxy_user_redis \s (?![^;]*\btimeout=)[^;]*);
                     /$1 timeout=${time}ms;/xgr;
}


# main, events, http, server and location are inserted where they belong; a
# location given so is "/"; bare leaves out what standard_http adds.
sub conf {
    my ($root, $port, %opt) = @_;

    my $http = $opt{bare} ? $opt{http} // '' : standard_http($opt{http});
    my $user = $> == 0 ? "user root;\n" : '';
    my $location = defined $opt{location}
        ? "location / {\n$opt{location}\n}\n" : '';
    my $temp = join '', map { "${_}_temp_path $root/$_;\n" }
        qw(client_body proxy fastcgi uwsgi scgi);

    my $level = $opt{log_level} // $ENV{TEST_NGINX_LOG_LEVEL} || 'info';

    return patient(expand(load_module() . ($opt{main} // '') . $user
        . <<"END"));
worker_processes @{[ $opt{workers} // 1 ]};
daemon off;
error_log logs/error.log $level;
pid logs/nginx.pid;
events {
worker_connections @{[ $opt{connections} // 1024 ]};
@{[ $opt{events} // '' ]}
}
http {
default_type text/plain;
access_log off;
$temp
$http
server {
listen 127.0.0.1:$port;
server_name localhost;
root html;
@{[ $opt{server} // '' ]}
$location
}
}
END
}


sub prepare {
    my (%opt) = @_;

    my $root = File::Temp->newdir('nginx-XXXXXX', DIR => $tmp);
    mkdir "$root/$_" for qw(conf logs html);
    write_file("$root/html/index.html", "index\n");

    my $port = free_port();
    write_file("$root/conf/nginx.conf",
               $opt{text} ? whole($opt{text}->($root, $port))
                          : conf($root, $port, %opt));
    return ($root, $port);
}


sub command {
    my ($root) = @_;

    return (binary(), '-p', "$root/", '-e', "$root/logs/error.log",
            '-c', "$root/conf/nginx.conf");
}


# Does nginx -t take it? 1 or 0, and all it said.
sub nginx_t {
    my (%opt) = @_;

    my ($root) = prepare(%opt);
    my $pid = open my $out, '-|';
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        { exec command($root), '-t' }
        POSIX::_exit(127);
    }

    my $text = do { local $/; <$out> } // '';
    close $out;
    my $ok = $? == 0 ? 1 : 0;
    die "nginx -t died of signal @{[ $? & 127 ]}: $text\n" if $? & 127;

    return ($ok, $text . read_file("$root/logs/error.log"));
}


sub start_nginx {
    my (%opt) = @_;

    my ($root, $port) = prepare(%opt);
    my $self = bless { root => $root, port => $port, owner => $$,
                       mark => 0, expect => $opt{expect} };

    $self->{pid} = fork // die "fork: $!\n";
    if ($self->{pid} == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', "$root/logs/stderr.log";
        { exec mortal('TERM'), command($root) }
        POSIX::_exit(127);
    }

    push @started, $self;

    my $end = time + patience(10);
    while (time < $end) {
        my $socket = IO::Socket::INET->new("127.0.0.1:$port");
        return $self if $socket && -s "$root/logs/nginx.pid";

        if (waitpid($self->{pid}, 1) == $self->{pid}) {
            delete $self->{pid};
            last;
        }

        sleep 0.02;
    }

    die "nginx does not start:\n", $self->log,
        read_file("$root/logs/stderr.log");
}


# The one of Test::Nginx; valid while a block runs.
sub block_nginx {
    my $root = $ENV{TEST_NGINX_SERVROOT};

    return bless { root => $root, port => $ENV{TEST_NGINX_PORT}, mark => 0,
                   borrowed => 1 };
}


sub pid {
    my ($self) = @_;

    return $self->{pid} if $self->{pid};
    my ($pid) = read_file("$self->{root}/logs/nginx.pid") =~ /(\d+)/;
    return $pid;
}


sub signal {
    my ($self, $name) = @_;

    return kill $name => $self->pid;
}


# The pids of the workers, without those that are shutting down.
sub workers {
    my ($self, $title) = @_;

    my $master = $self->pid;
    my @pid;

    for my $file (glob '/proc/[0-9]*/stat') {
        my ($pid, $parent) = read_file($file)
            =~ /^(\d+) \(.*\) \S (\d+)/s or next;
        next unless $parent == $master;
        push @pid, $pid if $self->title($pid)
            =~ ($title // qr/^nginx: worker process\b(?! is)/);
    }

    return @pid;
}


# What a process of nginx calls itself. Valgrind shows its own command line
# instead: then it is what the log says of it.
sub title {
    my ($self, $pid) = @_;

    my $title = read_file("/proc/$pid/cmdline");
    return $title unless $title =~ m{^\S*valgrind[^/\0]*\0};

    my $log = read_file("$self->{root}/logs/error.log");
    return '' unless $log =~ /: start (.+) $pid$/m;
    return "nginx: $1"
        . ($log =~ / $pid#\d+: gracefully shutting down$/m
           ? ' is shutting down' : '');
}


# The same once there are as many as there should be: after a start the
# master listens before it has any.
sub all_workers {
    my ($self, $n) = @_;

    my @pid;
    my $end = time + patience(5);
    while ((@pid = sort $self->workers) < $n && time < $end) {
        sleep 0.02;
    }

    return @pid;
}


# New workers have taken over when this returns true; their numbers are in
# no case those of before.
sub reload {
    my ($self, $seconds) = @_;

    my $end = time + patience($seconds // 5);
    my %old;

    # A port listens before there is a worker.
    until (%old = map { $_ => 1 } $self->workers) {
        return 0 if time > $end;
        sleep 0.02;
    }
    $self->signal('HUP');

    while (time < $end) {
        my @now = $self->workers;
        return 1 if @now && !grep { $old{$_} } @now;
        sleep 0.02;
    }

    return 0;
}


# Another configuration for the same nginx, read at its next reload.
sub configure {
    my ($self, %opt) = @_;

    return write_file("$self->{root}/conf/nginx.conf",
                      conf($self->{root}, $self->{port}, %opt));
}


sub stop {
    my ($self, $name) = @_;

    return if $self->{borrowed};
    my $pid = delete $self->{pid} or return 1;

    kill $name // 'QUIT' => $pid;

    my $end = time + patience(5);
    while (time < $end) {
        return 1 if waitpid($pid, 1) == $pid;
        sleep 0.02;
    }

    for ($self->{pid} = $pid, $self->workers(qr/^nginx: /)) {
        kill KILL => $_;
    }

    waitpid delete $self->{pid}, 0;
    return 0;
}


sub stop_all {
    my @late;

    for (@started) {
        next unless $_->{owner} == $$;
        push @late, $_ unless $_->stop;
        push @late, $_ if $_->trouble;
    }

    @started = ();
    return map { $_->{mark} = 0; $_->log } @late;
}


# Is there a line in the whole log that nobody expects? start_nginx's "expect"
# is a pattern of lines that are part of the test.
sub trouble {
    my ($self) = @_;

    my $expect = $self->{expect};
    return scalar grep {
        $_ =~ $ProxyUser::trouble && !($expect && $_ =~ $expect)
    } split /\n/, read_file("$self->{root}/logs/error.log");
}


# The error log since the last mark.
sub log {
    my ($self) = @_;

    return substr read_file("$self->{root}/logs/error.log"), $self->{mark};
}


sub mark {
    my ($self) = @_;

    $self->{mark} = -s "$self->{root}/logs/error.log" || 0;
}


sub wait_log {
    my ($self, $pattern, $seconds) = @_;

    my $end = time + patience($seconds // 3);
    do {
        return 1 if $self->log =~ $pattern;
        sleep 0.02;
    } while (time < $end);

    return 0;
}


# The client.

sub connect {
    my ($self) = @_;

    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Timeout => 5)
        or die "cannot connect to nginx: $!\n";
    $socket->autoflush;
    return bless { socket => $socket, buffer => '' },
        'ProxyUser::Connection';
}


sub ask {
    my ($self, $method, $uri, %opt) = @_;

    my $c = $self->connect;
    $c->ask($method, $uri, close => 1, %opt);
    return $c->answer(head => $method eq 'HEAD', %opt);
}


sub get {
    my ($self, $uri, $token, @header) = @_;

    my @list;
    push @list, [Authorization => "Bearer $token"] if defined $token;
    push @list, [splice @header, 0, 2] while @header;
    return $self->ask('GET', $uri, headers => \@list);
}


sub raw {
    my ($self, $bytes) = @_;

    my $c = $self->connect;
    $c->send($bytes);

    my @answer;
    while (my $answer = $c->answer) {
        push @answer, $answer;
    }

    return @answer;
}


sub parallel {
    my ($n, $code) = @_;

    my @job;
    for my $i (0 .. $n - 1) {
        my $pid = open my $out, '-|';
        die "fork: $!\n" unless defined $pid;

        if ($pid == 0) {
            my $result = eval { $code->($i) } // { error => $@ };
            print $json->encode([$result]);
            close STDOUT;
            POSIX::_exit(0);
        }

        push @job, $out;
    }

    return map {
        my $text = do { local $/; readline $_ };
        close $_;
        $text ? $json->decode($text)->[0] : undef;
    } @job;
}


# Every line of an audit file as a hash. A line that is no JSON object in
# valid UTF-8, or a last line without its end, is a die.
sub audit_lines {
    my ($file) = @_;

    my $text = read_file($file);
    die "the last line is cut: $text\n" if $text ne '' && $text !~ /\n\z/;

    return map {
        my $line = eval { Encode::decode('UTF-8', my $copy = $_,
                                         Encode::FB_CROAK) }
            // die "no UTF-8: $_\n";
        my $object = eval { $strict->decode($line) };
        die "no JSON object: $line\n" unless ref $object eq 'HASH';
        $object;
    } split /\n/, $text;
}


sub wait_audit {
    my ($file, $n, $seconds) = @_;

    my $end = time + patience($seconds // 3);
    while (time < $end) {
        last if ($n <= (() = read_file($file) =~ /\n/g));
        sleep 0.02;
    }

    return audit_lines($file);
}


package ProxyUser::Connection;

use Socket qw(SOL_SOCKET SO_LINGER);


# headers is a list of pairs; Host is there unless given.
sub ask {
    my ($self, $method, $uri, %opt) = @_;

    my @header = @{ $opt{headers} || [] };
    unshift @header, [Host => 'localhost']
        unless grep { lc $_->[0] eq 'host' } @header;
    push @header, [Authorization => "Bearer $opt{token}"]
        if defined $opt{token};
    push @header, ['Content-Length' => length $opt{body}]
        if defined $opt{body};
    push @header, [Connection => 'close'] if $opt{close};

    $self->send(join '', "$method $uri HTTP/1.1\r\n",
                (map { "$_->[0]: $_->[1]\r\n" } @header), "\r\n",
                $opt{body} // '');
}


sub send {
    my ($self, $bytes) = @_;

    local $SIG{PIPE} = 'IGNORE';
    return print { $self->{socket} } $bytes;
}


sub fill {
    my ($self, $end) = @_;

    vec(my $read = '', fileno $self->{socket}, 1) = 1;
    my $left = $end - Time::HiRes::time();
    return 0 if $left <= 0 || select($read, undef, undef, $left) <= 0;

    return sysread $self->{socket}, $self->{buffer}, 65536,
        length $self->{buffer};
}


# The next answer on this connection; nothing when it was closed first.
# timeout is in seconds, head for an answer to HEAD.
sub answer {
    my ($self, %opt) = @_;

    my $end = Time::HiRes::time()
        + ProxyUser::Redis::patience($opt{timeout} // 10);

    until ($self->{buffer} =~ /\r\n\r\n/) {
        $self->fill($end) or return;
    }

    my ($top, $rest) = split /\r\n\r\n/, $self->{buffer}, 2;
    my ($status) = $top =~ m{\AHTTP/1\.\d (\d\d\d)} or return;
    my %header;

    for (split /\r\n/, $top) {
        my ($name, $value) = /^([^:]+):\s*(.*)$/ or next;
        $name = lc $name;
        $header{$name} = defined $header{$name} ? "$header{$name}, $value"
                                                : $value;
    }

    $self->{buffer} = $rest;
    my $body = $opt{head} || $status =~ /^(?:1..|204|304)$/ ? ''
        : $self->body(\%header, $end);

    return { status => $status, headers => \%header, body => $body,
             raw => "$top\r\n\r\n$body" };
}


sub body {
    my ($self, $header, $end) = @_;

    if (defined(my $n = $header->{'content-length'})) {
        while (length $self->{buffer} < $n) {
            $self->fill($end) or last;
        }

        return substr $self->{buffer}, 0, $n, '';
    }

    if (($header->{'transfer-encoding'} // '') eq 'chunked') {
        my $body = '';

        while (1) {
            until ($self->{buffer} =~ /\A([0-9a-f]+)\r\n/i) {
                $self->fill($end) or return $body;
            }

            # The loop has its own last match.
            $self->{buffer} =~ /\A([0-9a-f]+)\r\n/i;
            my ($n, $at) = (hex $1, $+[0]);
            until (length $self->{buffer} >= $at + $n + 2) {
                $self->fill($end) or return $body;
            }

            $body .= substr $self->{buffer}, $at, $n;
            substr $self->{buffer}, 0, $at + $n + 2, '';
            return $body unless $n;
        }
    }

    1 while $self->fill($end);
    return substr $self->{buffer}, 0, length $self->{buffer}, '';
}


# Gone with a RST.
sub reset {
    my ($self) = @_;

    setsockopt $self->{socket}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    close $self->{socket};
}


sub close { close $_[0]{socket} }


1;
