package ProxyUser::Command;

# Runs the command proxy-user as a person or a script would, against a
# redis-server of the test's own.
#
#   command_start($redis);                  $redis from redis_start()
#   my ($code, $out, $err) = raw(@words);   as they are
#   run(@words)                             with --redis for that server
#   my $out = done('what', @words);         must exit 0, quietly
#   my $data = json('what', @words);        the same with --json
#   refused('what', 2, qr/says/, @words);   must exit so, with one sentence
#
# The command is $PROXY_USER_COMMAND, else the one that make has built.

use strict;
use warnings;

use Exporter qw(import);
use File::Basename qw(dirname);
use File::Temp ();
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use ProxyUser::Redis ();

our @EXPORT = qw(
    command_start command_path raw run done json json_of refused redis fresh
    user slurp spew
);

# No run of the command may take longer than this many seconds.
my $LIMIT = ProxyUser::Redis::patience(30);

my $json = JSON::PP->new->utf8;
my $tmp = File::Temp->newdir('proxy-user-command-XXXXXX', TMPDIR => 1);
my ($server, $url, $n);


sub command_path {
    return $ENV{PROXY_USER_COMMAND}
        // dirname(__FILE__) . '/../../../build/proxy-user';
}


# The server's URL, and a directory for the test's files.
sub command_start {
    ($server) = @_;

    delete @ENV{qw(PROXY_USER_REDIS PROXY_USER_PREFIX)};
    plan skip_all => 'no ' . command_path() . ': run make'
        unless -x command_path();

    $url = "redis://127.0.0.1:$server->{port}";
    return ($url, $tmp);
}


sub redis { $server->command(@_) }


# One user, alice, and nothing else.
sub fresh {
    redis('FLUSHALL');
    ProxyUser::Redis::seed_user(id => ProxyUser::Redis::user_id(1),
                                sub => 'alice', on => $server);
}


# A field of her, or of another user.
sub user {
    my ($field, $id) = @_;
    return redis('HGET', '{pu}:user:' . ($id // ProxyUser::Redis::user_id(1)),
                 $field);
}


sub raw {
    my (@args) = @_;
    my ($out, $err) = map { "$tmp/$_" . ++$n } qw(out err);

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', $out;
        open STDERR, '>', $err;
        exec command_path(), @args or POSIX::_exit(127);
    }

    my $end = time + $LIMIT;
    my $gone;

    until ($gone = waitpid $pid, POSIX::WNOHANG()) {
        last if time > $end;
        sleep 0.005;
    }

    my $status = $?;

    if (!$gone) {
        kill KILL => $pid;
        waitpid $pid, 0;
        return ('hangs', '', '');
    }

    return ($status & 127 ? 'signal ' . ($status & 127) : $status >> 8,
            map { slurp($_) } $out, $err);
}


sub run { raw('--redis', $url, @_) }


sub done {
    my ($what, @args) = @_;
    my ($code, $out, $err) = run(@args);

    is($code, 0, $what);
    is($err, '', "$what: nothing on stderr");
    return $out;
}


sub json {
    my ($what, @args) = @_;
    my $out = done($what, '--json', @args);
    my $value = eval { json_of($out) };

    ok(defined $value, "$what: one JSON document") or diag($out);
    like($out, qr/\n\z/, "$what: ends its line");
    return $value;
}


sub json_of { $json->decode($_[0]) }


sub refused {
    my ($what, $code, $says, @args) = @_;
    my ($got, $out, $err) = run(@args);

    is($got, $code, "$what: exit $code");
    is($out, '', "$what: nothing on stdout");
    like($err, qr/\Aproxy-user: [^\n]+\n\z/, "$what: one sentence");
    like($err, $says, "$what: which says what");
    return $err;
}


sub slurp {
    my ($file) = @_;

    open my $in, '<:raw', $file or return '';
    local $/;
    return <$in> // '';
}


sub spew {
    my ($file, $text) = @_;

    open my $out, '>', "$tmp/$file" or die "$file: $!\n";
    print $out $text;
    close $out;
    return "$tmp/$file";
}


1;
