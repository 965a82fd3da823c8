package Growth;

# What bench/growth needs beside its measures: configurations, many users,
# and how many tokens a zone holds.

use strict;
use warnings;

use Bench;
use Exporter qw(import);
use POSIX ();
use ProxyUser::Crowd;
use Side;
use Time::HiRes qw(sleep);

our @EXPORT = qw(
    open_server many_locations seed_crowd fill all_known tokens_held
    redis_again descriptors still
);


# The backend may be a port of its own.
sub open_server {
    my ($without, $port) = @_;

    my $to = $port ? "127.0.0.1:$port" : 'backend';
    return "location / { proxy_pass http://$to; }\n" if $without;

    my $cache = '"$proxy_user_cache $proxy_user_token_cache"';
    return <<"CONF";
proxy_user_role reader;
proxy_user on;
location / {
    proxy_pass http://$to;
}
location = /show {
    add_header X-Cache $cache;
    proxy_pass http://$to/;
}
location = /key {
    proxy_user_credential api_key=X-API-Key;
    proxy_pass http://$to/;
}
location = /show-key {
    proxy_user_credential api_key=X-API-Key;
    add_header X-Cache $cache;
    proxy_pass http://$to/;
}
CONF
}


sub many_locations {
    my ($n, $without) = @_;

    my $lines = $without ? '' : 'proxy_user_role writer POST PUT; '
        . 'proxy_user_role reader GET; proxy_user_scope read GET;';

    return open_server($without) . join '', map {
        sprintf "location /api/%04d/ { %s proxy_pass http://backend/; }\n",
            $_, $lines
    } 1 .. $n;
}


sub seed_crowd {
    my ($redis, $from, $to) = @_;

    my $client = $redis->connection;

    while ($from <= $to) {
        my $last = $from + 499 > $to ? $to : $from + 499;
        my @command = map { ProxyUser::Crowd::seed($_) } $from .. $last;
        print $client join '', map { encode_command(@$_) } @command;
        read_reply($client) for @command;
        $from = $last + 1;
    }
}


# Users whom nobody asks for, with all the keys that others have; what Redis
# has grown by, in bytes a user.
sub fill {
    my ($redis, $n) = @_;

    my $before = used($redis);

    for (my $i = 0; $i < $n; $i += 10_000) {
        my $last = $i + 9999 < $n ? $i + 9999 : $n - 1;
        $redis->command('EVAL', <<'LUA', 0, $i, $last);
for i = ARGV[1], ARGV[2] do
    local n = string.format('%012d', i)
    local id = 'u_BBBBBBBBBB' .. n
    local digest = string.rep('B', 31) .. n
    redis.call('HSET', '{pu}:user:' .. id, 'name', 'Given Family ' .. i,
        'type', 'human', 'state', 'active', 'version', 3,
        'issuer', 'https://login.example.com/realms/main',
        'subject', '7d0c2f5e-3b1a-4c68-9e57-' .. n,
        'roles', 'editor@1700000000 reader@1700000000', 'epoch', 0,
        'created', 1700000000, 'modified', 1700000000, 'source', 'cli')
    redis.call('ZADD', '{pu}:users', 1700000000, id)
    redis.call('HSET', '{pu}:handle:key:' .. digest, 'user', id,
        'id', string.sub(n, 3), 'state', 'active', 'created', 1700000000)
    redis.call('SADD', '{pu}:handles:' .. id, 'key:' .. digest)
end
LUA
    }

    return $n > 0 ? (used($redis) - $before) / $n : 0;
}


sub used {
    my ($bytes) = $_[0]->command('INFO', 'memory')
        =~ /^used_memory_dataset:(\d+)/m or die "no used_memory_dataset\n";
    return $bytes;
}


# Each is asked for, and the second time is known.
sub all_known {
    my ($side) = @_;

    my $c = connection($side);
    my $hits = 0;

    # Until the change log has been read nothing is remembered.
    for (1 .. 500) {
        my (undef, undef, $text) = ask($c, $side, $side->{token}[0]);
        $hits = $text =~ /^X-Cache: hit/m ? $hits + 1 : 0;
        last if $hits >= 8;
        sleep 0.02;
    }

    ask($c, $side, $_) for @{ $side->{token} };
    my $step = 1 + int @{ $side->{token} } / 1000;

    for (my $i = 0; $i < @{ $side->{token} }; $i += $step) {
        my (undef, undef, $text) = ask($c, $side, $side->{token}[$i]);
        die "user $i is not known: $text\n" if $text !~ /^X-Cache: hit/m;
    }
}


sub ask {
    my ($c, $side, $credential) = @_;

    return fetch($c, $side->{show}, $credential, $side->{header});
}


# Of so many tokens of one user, the last so many are there.
sub tokens_held {
    my ($nginx, $tokens) = @_;

    until_warm($nginx, '/show', $tokens->[0]);
    my $c = connection($nginx);
    fetch($c, '/show', $_) for @$tokens;

    my $held = 0;
    for (reverse @$tokens) {
        my (undef, undef, $text) = fetch($c, '/show', $_);
        return $held if $text !~ /^X-Cache: hit hit\r/m;
        $held++;
    }

    die "the zone holds all of them\n";
}


# start_nginx takes the Redis that was started last.
sub redis_again { $ENV{TEST_NGINX_REDIS_SOCKET} = $_[0]{socket} }


# How many files a process may have open.
sub descriptors { POSIX::sysconf(POSIX::_SC_OPEN_MAX()) }


# Until a number stays what it is.
sub still {
    my ($number) = @_;

    my ($last, $same) = ($number->(), 0);

    for (1 .. 200) {
        sleep 0.05;
        my $now = $number->();
        $same = $now == $last ? $same + 1 : 0;
        return $now if $same >= 10;
        $last = $now;
    }

    return $last;
}


1;
